-- uses: records regex
-- Drops records whose value matches; with no regex, those that have the key; with no key, those where any value at the top
-- matches; with neither, all.
function rules.block_records(options)
  local function matches(value)
    local text = records.text(value)
    return text ~= nil and regex.find(options.regex, text) ~= nil
  end
  local function blocked(record)
    if options.key and not options.regex then return records.get(record, options.key) ~= nil end
    if options.key then return matches(records.get(record, options.key)) end
    if not options.regex then return true end
    for _, key in ipairs(records.keys(record)) do
      if matches(record[key]) then return true end
    end
    return false
  end
  return {apply = function(event)
    if blocked(event.record) then return nil end
    return event
  end}
end
