-- uses: records regex
-- The named groups of the first match in the text at src become a map at dst, which must not exist yet.
function rules.parse(options)
  return {apply = function(event)
    local text = records.get(event.record, options.src)
    if not options.regex or type(text) ~= "string" or records.get(event.record, options.dst) ~= nil then return event end
    local first, _, captures = regex.find(options.regex, text)
    if not first then return event end
    local found = records.map()
    for name, groups in pairs(options.regex.names) do
      for _, group in ipairs(groups) do
        found[name] = regex.captured(text, captures, group) or found[name]
      end
    end
    if records.set(event.record, options.dst, found) then event.changed = true end
    return event
  end}
end
