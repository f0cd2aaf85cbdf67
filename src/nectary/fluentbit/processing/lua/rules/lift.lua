-- uses: records regex
-- Moves the matching fields of the map at key up: one level puts them beside that map, more levels further up, at most to the
-- top. The map is removed (keepOrig: copies, and leaves it).
function rules.lift(options)
  return {apply = function(event)
    local path = options.key
    local fields = records.get(event.record, path)
    if not records.is_map(fields) then return event end
    local target = records.get(event.record, {unpack(path, 1, math.max(0, #path - options.levels))})
    if not records.is_map(target) then return event end
    if not options.keepOrig then records.remove(event.record, path) end
    for _, name in ipairs(records.keys(fields)) do
      if regex.find(options.regex, name) then
        target[regex.replace(options.regex, name, options.keyReplacement)] = records.copy(fields[name])
      end
    end
    event.changed = true
    return event
  end}
end
