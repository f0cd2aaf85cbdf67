-- Records: reading, writing and copying the nested tables that Fluent Bit hands to a script.
local records = {}

-- Fluent Bit packs a table by its metatable's "type" (flb_lua.h: 1 array, 2 map); without one, an empty table is a map.
local ARRAY, MAP = {type = 1}, {type = 2}

function records.array(list) return setmetatable(list or {}, ARRAY) end
function records.map(fields) return setmetatable(fields or {}, MAP) end

function records.is_array(value)
  if type(value) ~= "table" then return false end
  local meta = getmetatable(value)
  if type(meta) == "table" and type(meta.type) == "number" then return meta.type == 1 end
  return value[1] ~= nil
end

function records.is_map(value) return type(value) == "table" and not records.is_array(value) end

-- A path is a list of keys; a number in it is a place in an array (from 1).
function records.get(value, path)
  for depth = 1, #path do
    if type(value) ~= "table" then return nil end
    value = value[path[depth]]
  end
  return value
end

-- Writes a value, making the maps on the way. False, and nothing written, when something else is in the way.
function records.set(record, path, value)
  local holder = record
  for depth = 1, #path - 1 do
    local key = path[depth]
    local inner = holder[key]
    if inner == nil and type(key) == "string" and records.is_map(holder) then
      inner = records.map()
      holder[key] = inner
    end
    if type(inner) ~= "table" then return false end
    holder = inner
  end
  local last = path[#path]
  if (type(last) == "number") ~= records.is_array(holder) then return false end
  if type(last) == "number" and last > #holder + 1 then return false end
  holder[last] = value
  return true
end

function records.remove(record, path)
  local holder = records.get(record, {unpack(path, 1, #path - 1)})
  local last = path[#path]
  if type(holder) ~= "table" or holder[last] == nil then return false end
  if type(last) == "number" then table.remove(holder, last) else holder[last] = nil end
  return true
end

function records.copy(value)
  if type(value) ~= "table" then return value end
  local twin = setmetatable({}, getmetatable(value))
  for key, inner in pairs(value) do twin[key] = records.copy(inner) end
  return twin
end

-- Keys in order, so that what a rule does never depends on how a table happens to be laid out.
function records.keys(fields)
  local keys = {}
  for key in pairs(fields) do
    if type(key) == "string" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return keys
end

function records.number_text(number)
  if number == math.floor(number) and math.abs(number) < 2 ^ 63 then return string.format("%.0f", number) end
  for digits = 15, 17 do
    local text = string.format("%." .. digits .. "g", number)
    if tonumber(text) == number then return text end
  end
  return tostring(number)
end

-- Strings, numbers and booleans as text; nil for null, maps and arrays.
function records.text(value)
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "number" then return records.number_text(value) end
  if kind == "boolean" then return tostring(value) end
  return nil
end

-- A text that is the same for equal values and different for different ones.
function records.identity(value)
  if type(value) ~= "table" then
    local text = records.text(value) or "null"
    return type(value) .. #text .. ":" .. text
  end
  local parts = {}
  if records.is_array(value) then
    for place, inner in ipairs(value) do parts[place] = records.identity(inner) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for place, key in ipairs(records.keys(value)) do
    parts[place] = records.identity(key) .. "=" .. records.identity(value[key])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- A time is a number of seconds or, with time_as_table, {sec, nsec}.
function records.seconds(time)
  if type(time) == "table" then return time.sec + time.nsec / 1e9 end
  return time
end

function records.same_time(one, other)
  if type(one) == "table" and type(other) == "table" then return one.sec == other.sec and one.nsec == other.nsec end
  return records.seconds(one) == records.seconds(other)
end

function records.time_like(sample, seconds)
  if type(sample) ~= "table" then return seconds end
  local whole = math.floor(seconds)
  return {sec = whole, nsec = math.floor((seconds - whole) * 1e9 + 0.5)}
end
