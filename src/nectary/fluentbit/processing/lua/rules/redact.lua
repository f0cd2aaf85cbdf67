-- uses: records regex
-- Writes replaceChar over every character of every match in the text at key. When the pattern takes too many steps the whole
-- text is covered: what might be a secret does not get through.
function rules.redact(options)
  return {apply = function(event)
    local text = records.get(event.record, options.key)
    if type(text) ~= "string" then return event end
    local worked, covered, count = pcall(regex.replace_each, options.regex, text, nil, function(first, last)
      return options.replaceChar:rep(regex.length(text:sub(first, last)))
    end)
    if not worked then covered, count = options.replaceChar:rep(regex.length(text)), 1 end
    if count > 0 and records.set(event.record, options.key, covered) then event.changed = true end
    return event
  end}
end
