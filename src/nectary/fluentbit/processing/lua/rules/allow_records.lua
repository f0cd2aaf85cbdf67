-- uses: records regex
-- Lets through only records whose value (a string, number or boolean, as text) matches.
function rules.allow_records(options)
  return {apply = function(event)
    local text = records.text(records.get(event.record, options.key))
    if text and regex.find(options.regex, text) then return event end
    return nil
  end}
end
