-- uses: records
-- Removes the value at key.
function rules.delete(options)
  return {apply = function(event)
    if records.remove(event.record, options.key) then event.changed = true end
    return event
  end}
end
