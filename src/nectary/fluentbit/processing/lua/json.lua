-- JSON: text to values and back. Null is flb_null (the lua filter's option enable_flb_null), so that it survives.
local json = {}

json.DEPTH_LIMIT = 100

local ESCAPES = {b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/"}

local function fail(what) error({json = what}, 0) end

local function utf8(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
  end
  return string.char(0xF0 + math.floor(code / 262144), 0x80 + math.floor(code / 4096) % 64,
    0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

local function read_escape(text, at)
  local letter = text:sub(at, at)
  if letter ~= "u" then return ESCAPES[letter] or fail("escape"), at + 1 end
  local digits = text:match("^%x%x%x%x", at + 1)
  if not digits then fail("escape") end
  local code = tonumber(digits, 16)
  at = at + 5
  if code >= 0xD800 and code < 0xDC00 then
    local low = text:match("^\\u([dD][c-fC-F]%x%x)", at)
    if not low then return utf8(0xFFFD), at end
    return utf8(0x10000 + (code - 0xD800) * 1024 + tonumber(low, 16) - 0xDC00), at + 6
  end
  if code >= 0xDC00 and code < 0xE000 then code = 0xFFFD end
  return utf8(code), at
end

local function read_string(text, at)
  local parts = {}
  while true do
    local stop = text:find('[%c"\\]', at)
    if not stop then fail("string") end
    parts[#parts + 1] = text:sub(at, stop - 1)
    local mark = text:sub(stop, stop)
    if mark == '"' then return table.concat(parts), stop + 1 end
    if mark ~= "\\" and text:byte(stop) < 32 then fail("string") end
    if mark == "\\" then
      parts[#parts + 1], at = read_escape(text, stop + 1)
    else
      parts[#parts + 1], at = mark, stop + 1
    end
  end
end

local read_value

local function skip(text, at) return text:find("[^ \t\r\n]", at) or #text + 1 end

local function read_object(text, at, depth)
  local fields = records.map()
  at = skip(text, at)
  if text:sub(at, at) == "}" then return fields, at + 1 end
  while true do
    if text:sub(at, at) ~= '"' then fail("key") end
    local key
    key, at = read_string(text, at + 1)
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then fail("colon") end
    fields[key], at = read_value(text, skip(text, at + 1), depth)
    at = skip(text, at)
    local mark = text:sub(at, at)
    if mark == "}" then return fields, at + 1 end
    if mark ~= "," then fail("comma") end
    at = skip(text, at + 1)
  end
end

local function read_array(text, at, depth)
  local list = records.array()
  at = skip(text, at)
  if text:sub(at, at) == "]" then return list, at + 1 end
  while true do
    list[#list + 1], at = read_value(text, at, depth)
    at = skip(text, at)
    local mark = text:sub(at, at)
    if mark == "]" then return list, at + 1 end
    if mark ~= "," then fail("comma") end
    at = skip(text, at + 1)
  end
end

local function read_number(text, at)
  local number = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
  if not number or number:find("^-?0%d") or number:find("%.$") or number:find("%.[eE]") or not tonumber(number) then
    fail("number")
  end
  return tonumber(number), at + #number
end

function read_value(text, at, depth)
  if depth > json.DEPTH_LIMIT then fail("depth") end
  local mark = text:sub(at, at)
  if mark == "{" then return read_object(text, at + 1, depth + 1) end
  if mark == "[" then return read_array(text, at + 1, depth + 1) end
  if mark == '"' then return read_string(text, at + 1) end
  if text:sub(at, at + 3) == "true" then return true, at + 4 end
  if text:sub(at, at + 4) == "false" then return false, at + 5 end
  if text:sub(at, at + 3) == "null" then return flb_null, at + 4 end
  return read_number(text, at)
end

-- The value of a text; nil when the text is not JSON.
function json.decode(text)
  local read, value = pcall(function()
    local found, at = read_value(text, skip(text, 1), 1)
    if skip(text, at) <= #text then fail("more") end
    return found
  end)
  if read then return value end
  if type(value) == "table" and value.json then return nil end
  error(value, 0)
end

local function quote(text)
  return '"' .. text:gsub('[%c"\\]', function(char)
    local short = ({['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t"})[char]
    return short or char:byte() < 32 and string.format("\\u%04x", char:byte()) or char
  end) .. '"'
end

-- One line, keys in order. Numbers that JSON cannot say (nan, inf) become null.
function json.encode(value)
  local kind = type(value)
  if kind == "string" then return quote(value) end
  if kind == "boolean" then return tostring(value) end
  if kind == "number" then
    if value ~= value or value == math.huge or value == -math.huge then return "null" end
    return records.number_text(value)
  end
  if kind ~= "table" then return "null" end
  local parts = {}
  if records.is_array(value) then
    for place = 1, #value do parts[place] = json.encode(value[place]) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for place, key in ipairs(records.keys(value)) do parts[place] = quote(key) .. ":" .. json.encode(value[key]) end
  return "{" .. table.concat(parts, ",") .. "}"
end
