-- uses: records json
-- Sets dst to the value of the JSON text at src.
function rules.json_decode(options)
  return {apply = function(event)
    local text = records.get(event.record, options.src)
    if type(text) ~= "string" then return event end
    local value = json.decode(text)
    if value ~= nil and records.set(event.record, options.dst, value) then event.changed = true end
    return event
  end}
end
