-- uses: records regex
-- The first match in the text at key becomes a number, read in the given base.
function rules.parse_number(options)
  local function number_of(text)
    if options.base == 10 then return tonumber(text) end
    local sign, digits = text:match("^%s*([+-]?)(%w+)%s*$")
    local number = digits and tonumber(digits, options.base)
    return number and (sign == "-" and -number or number)
  end
  return {apply = function(event)
    local text = records.get(event.record, options.key)
    if type(text) ~= "string" then return event end
    local first, last = regex.find(options.regex, text)
    local number = first and number_of(text:sub(first, last))
    if number and records.set(event.record, options.key, number) then event.changed = true end
    return event
  end}
end
