-- uses: records csv
-- Reads the line at src into dst: a list, or a map when the names of the columns are known (header, or the first record of each
-- tag with parseHeader: that record is taken away). A line with another number of columns than names is left alone.
function rules.csv_decode(options)
  local headers = {}
  return {apply = function(event)
    local line = records.get(event.record, options.src)
    local values = type(line) == "string" and csv.decode(line) or nil
    if not values then return event end
    local names = options.header
    if options.parseHeader then
      names = headers[event.tag]
      if not names then
        headers[event.tag] = values
        return nil
      end
    end
    local decoded = records.array(values)
    if names then
      if #names ~= #values then return event end
      decoded = records.map()
      for place, name in ipairs(names) do decoded[name] = values[place] end
    end
    if records.set(event.record, options.dst, decoded) then event.changed = true end
    return event
  end}
end
