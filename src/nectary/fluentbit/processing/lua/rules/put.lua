-- uses: records
-- Sets the value at key.
function rules.put(options)
  return {apply = function(event)
    if records.set(event.record, options.key, options.value) then event.changed = true end
    return event
  end}
end
