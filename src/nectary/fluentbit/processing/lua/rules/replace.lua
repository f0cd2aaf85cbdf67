-- uses: records regex
-- Replaces the matches (the first submax of them) in the text at key; %1 to %9 in replacement are the groups, %0 the match.
function rules.replace(options)
  return {apply = function(event)
    local text = records.get(event.record, options.key)
    if type(text) ~= "string" then return event end
    local replaced, count = regex.replace(options.regex, text, options.replacement, options.submax)
    if count > 0 and records.set(event.record, options.key, replaced) then event.changed = true end
    return event
  end}
end
