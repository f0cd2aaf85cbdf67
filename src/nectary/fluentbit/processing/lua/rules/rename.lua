-- uses: records regex
-- Moves the value at src to dst. In regexMode src is matched against the keys at the top, and dst is what the match in the key
-- becomes.
function rules.rename(options)
  local function rename_matching(event)
    for _, key in ipairs(records.keys(event.record)) do
      if regex.find(options.src, key) then
        local name, value = regex.replace(options.src, key, options.dst), event.record[key]
        event.record[key] = nil
        event.record[name] = value
        event.changed = true
      end
    end
    return event
  end
  return {apply = function(event)
    if options.regexMode then return rename_matching(event) end
    local value = records.get(event.record, options.src)
    if value == nil then return event end
    local before = records.copy(event.record)
    records.remove(event.record, options.src)
    if records.set(event.record, options.dst, value) then event.changed = true else event.record = before end
    return event
  end}
end
