-- uses: records regex
-- Moves the value at src into the map at dst (all values at the top without src; in regexMode those at the top whose key
-- matches). Without merge, or where dst is no map, the map is a new one.
function rules.nest(options)
  local function moved(record)
    local names = {}
    if options.src and not options.regexMode then
      local value = records.get(record, options.src)
      if value == nil then return {}, {} end
      records.remove(record, options.src)
      return {options.src[#options.src]}, {value}
    end
    local values = {}
    for _, key in ipairs(records.keys(record)) do
      local inside = options.merge and key == options.dst[1]
      if not inside and (not options.src or regex.find(options.src, key)) then
        names[#names + 1], values[#values + 1] = key, record[key]
        record[key] = nil
      end
    end
    return names, values
  end
  return {apply = function(event)
    local record = records.copy(event.record)
    local names, values = moved(record)
    if #names == 0 then return event end
    local target = options.merge and records.get(record, options.dst) or nil
    if not records.is_map(target) then target = records.map() end
    for place, name in ipairs(names) do target[tostring(name)] = values[place] end
    if records.set(record, options.dst, target) then
      event.record = record
      event.changed = true
    end
    return event
  end}
end
