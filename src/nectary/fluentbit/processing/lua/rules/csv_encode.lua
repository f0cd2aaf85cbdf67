-- uses: records csv json
-- Writes the list or map at src (the whole record without src) as one line at dst: the columns that header names, else all, a
-- map's in the order of its keys. Null and missing are empty; lists and maps inside are JSON.
function rules.csv_encode(options)
  local function cell(value)
    if type(value) == "table" then return json.encode(value) end
    return records.text(value) or ""
  end
  return {apply = function(event)
    local source = records.get(event.record, options.src or {})
    local cells = {}
    if records.is_map(source) then
      for place, key in ipairs(options.header or records.keys(source)) do cells[place] = cell(source[key]) end
    elseif records.is_array(source) then
      for place = 1, #source do cells[place] = cell(source[place]) end
    else
      return event
    end
    if records.set(event.record, options.dst, csv.encode(cells)) then event.changed = true end
    return event
  end}
end
