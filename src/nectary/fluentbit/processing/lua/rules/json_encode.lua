-- uses: records json
-- Sets dst to the value at src (the whole record without src) as JSON text.
function rules.json_encode(options)
  return {apply = function(event)
    local value = records.get(event.record, options.src or {})
    if value ~= nil and records.set(event.record, options.dst, json.encode(value)) then event.changed = true end
    return event
  end}
end
