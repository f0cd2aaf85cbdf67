-- uses: records regex
-- Sets dst to a copy of the value at src. In regexMode src is matched against the keys at the top, and dst is what the match
-- in the key becomes.
function rules.copy(options)
  local function copy_matching(event)
    for _, key in ipairs(records.keys(event.record)) do
      if regex.find(options.src, key) then
        event.record[regex.replace(options.src, key, options.dst)] = records.copy(event.record[key])
        event.changed = true
      end
    end
    return event
  end
  return {apply = function(event)
    if options.regexMode then return copy_matching(event) end
    local value = records.get(event.record, options.src)
    if value ~= nil and records.set(event.record, options.dst, records.copy(value)) then event.changed = true end
    return event
  end}
end
