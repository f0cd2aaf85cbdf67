-- uses: records regex
-- Moves the matching fields of the map at key to the top of the record, under the name keyReplacement makes of the match, and
-- removes the map (keepOrig: copies, and leaves it).
function rules.flatten(options)
  return {apply = function(event)
    local fields = records.get(event.record, options.key)
    if not records.is_map(fields) then return event end
    if not options.keepOrig then records.remove(event.record, options.key) end
    for _, name in ipairs(records.keys(fields)) do
      if regex.find(options.regex, name) then
        event.record[regex.replace(options.regex, name, options.keyReplacement)] = records.copy(fields[name])
      end
    end
    event.changed = true
    return event
  end}
end
