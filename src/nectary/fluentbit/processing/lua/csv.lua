-- CSV: one line of comma-separated values, quoted as RFC 4180 says.
local csv = {}

-- The values of a line; nil when its quotes do not close.
function csv.decode(line)
  line = line:gsub("\r?\n$", "")
  local values, at = {}, 1
  while true do
    if line:sub(at, at) == '"' then
      local parts = {}
      at = at + 1
      while true do
        local stop = line:find('"', at, true)
        if not stop then return nil end
        parts[#parts + 1] = line:sub(at, stop - 1)
        at = stop + 1
        if line:sub(at, at) ~= '"' then break end
        parts[#parts + 1] = '"'
        at = at + 1
      end
      values[#values + 1] = table.concat(parts)
      if at <= #line and line:sub(at, at) ~= "," then return nil end
    else
      local stop = line:find(",", at, true) or #line + 1
      values[#values + 1] = line:sub(at, stop - 1)
      at = stop
    end
    if at > #line then return values end
    at = at + 1
  end
end

function csv.encode(values)
  local cells = {}
  for place, text in ipairs(values) do
    if text:find('[",\r\n]') then text = '"' .. text:gsub('"', '""') .. '"' end
    cells[place] = text
  end
  return table.concat(cells, ",")
end
