-- uses: records regex
-- Keeps the keys that match, at the top or in the map at nestedPath; removes the others.
function rules.allow_keys(options)
  return {apply = function(event)
    local fields = records.get(event.record, options.nestedPath or {})
    if not records.is_map(fields) then return event end
    for _, key in ipairs(records.keys(fields)) do
      if not regex.find(options.regex, key) then
        fields[key] = nil
        event.changed = true
      end
    end
    return event
  end}
end
