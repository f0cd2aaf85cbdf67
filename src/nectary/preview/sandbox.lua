-- The sandbox of a preview: what a script sees instead of LuaJIT's globals, and the clockwork that stops it.
-- Gets the number of instructions a run may take; gives the functions that child.py calls.
local budget = ...

-- Without the compiler every instruction is counted; compiled code would run past the hook.
jit.off()

local null = require("string.buffer").decode("\3") -- the NULL light userdata that Fluent Bit calls flb_null
local sethook, error, getmetatable, pcall, setmetatable = debug.sethook, error, getmetatable, pcall, setmetatable
local tostring, type, rawget = tostring, type, rawget
local floor, maxn, loadtext = math.floor, table.maxn, load

string.dump = nil

local STEP = 10000
local spent = 0

local function tick()
  spent = spent + STEP
  if spent <= budget then return end
  -- From now on every instruction fails, so that no pcall in the script gets to swallow it.
  sethook(tick, "", 1)
  error("nectary: out of instructions", 0)
end

local function shallow(library)
  local twin = {}
  for name, value in pairs(library) do twin[name] = value end
  return twin
end

local world = {
  assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall, rawequal = rawequal,
  rawget = rawget, rawset = rawset, select = select, setmetatable = setmetatable, tonumber = tonumber, tostring = tostring,
  type = type, unpack = unpack, xpcall = xpcall, _VERSION = _VERSION,
  bit = shallow(bit), math = shallow(math), string = shallow(string), table = shallow(table),
  coroutine = shallow(coroutine), flb_null = null,
  print = function() end,
}
world._G = world

function world.getmetatable(value)
  -- The strings' metatable leads to the machine's own library.
  if type(value) == "table" then return getmetatable(value) end
  return nil
end

-- Source only: compiled chunks are not checked by LuaJIT and could do anything.
function world.load(chunk, name, _, environment)
  if type(chunk) == "function" then
    local parts = {}
    repeat
      local part = chunk()
      if part then parts[#parts + 1] = part end
    until not part or part == ""
    chunk = table.concat(parts)
  end
  return loadtext(chunk, name or "=chunk", "t", environment or world)
end

function world.loadstring(text, name) return world.load(text, name) end

local call

local kit = {null = null, at = rawget}

function kit.hook() sethook(tick, "", STEP) end

function kit.array(list) return setmetatable(list, {type = 1}) end
function kit.map(fields) return setmetatable(fields, {type = 2}) end

-- The largest number among the keys, cut to a whole one as flb_lua_arraylength cuts it; 0 where it is beyond any list.
local function last(list)
  local number = floor(maxn(list))
  return number < 2 ^ 31 and number or 0
end

-- How Fluent Bit would pack a value (src/flb_lua.c): a table by its metatable's type, else as a list when it has a first
-- part numbered from 1, else as a map. An empty table without a mark is a map.
function kit.kind(value)
  if value == null then return "null" end
  if type(value) ~= "table" then return type(value) end
  local meta = getmetatable(value)
  local mark = type(meta) == "table" and rawget(meta, "type")
  if type(mark) == "number" then return mark == 1 and "list" or "map" end
  return last(value) > 0 and "list" or "map"
end

function kit.length(list)
  local meta = getmetatable(list)
  if type(meta) == "table" and rawget(meta, "type") == 1 then return #list end
  return last(list)
end

-- Loads the script as Fluent Bit does, with the name it uses; the error, or nothing.
function kit.load(code, name)
  local chunk, problem = loadtext(code, "fluentbit.lua", "t", world)
  if not chunk then return problem end
  local worked, failure = pcall(chunk)
  if not worked then return tostring(failure) end
  call = rawget(world, name)
  if type(call) ~= "function" then return "function " .. name .. " is not found" end
end

local function outcome(worked, ...)
  if worked then return nil, ... end
  local failure = ...
  return type(failure) == "string" and failure or "error object is a " .. type(failure)
end

-- nil, code, ts, record; or the error.
function kit.call(tag, ts, record)
  local failure, code, time, answer = outcome(pcall(call, tag, ts, record))
  return failure, code, time, answer
end

function kit.flush()
  local flush = rawget(world, "cb_flush")
  if type(flush) == "function" then return flush() end
end

return kit
