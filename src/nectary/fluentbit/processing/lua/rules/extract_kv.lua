-- uses: records regex
-- Every match in the text at src gives a key (its first group) and a value (its second) in a new map at dst.
function rules.extract_kv(options)
  return {apply = function(event)
    local text = records.get(event.record, options.src)
    if type(text) ~= "string" then return event end
    local found, any = records.map(), false
    regex.replace_each(options.regex, text, nil, function(_, _, captures)
      local key = regex.captured(text, captures, 1)
      if key then
        found[key] = regex.captured(text, captures, 2) or ""
        any = true
      end
      return ""
    end)
    if any and records.set(event.record, options.dst, found) then event.changed = true end
    return event
  end}
end
