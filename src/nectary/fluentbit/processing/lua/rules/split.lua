-- uses: records
-- One record for each item of the list at key, the item at dest (key itself without dest). keepOrig leaves the list where it
-- is; skipEmpty leaves a record with an empty list alone, else it goes on without the list.
function rules.split(options)
  return {apply = function(event)
    local list = records.get(event.record, options.key)
    if not records.is_array(list) then return event end
    if #list == 0 then
      if not options.skipEmpty and not options.keepOrig and records.remove(event.record, options.key) then
        event.changed = true
      end
      return event
    end
    if not options.keepOrig then records.remove(event.record, options.key) end
    local many = {}
    for place = 1, #list do
      local record = records.copy(event.record)
      records.set(record, options.dest or options.key, records.copy(list[place]))
      many[place] = {tag = event.tag, ts = event.ts, record = record, changed = true}
    end
    return nil, many
  end}
end
