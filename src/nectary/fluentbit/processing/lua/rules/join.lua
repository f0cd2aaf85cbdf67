-- uses: records
-- Records of one tag with exactly the same time, one after the other, become one: the first, with the list of all their values
-- at key. It comes out with the next record of another time.
function rules.join(options)
  local held = {}
  local function apply(event)
    local value = records.get(event.record, options.key)
    if value == nil and options.skipMissing then return event end
    local waiting = held[event.tag]
    if waiting and records.same_time(waiting.ts, event.ts) then
      local list = records.get(waiting.record, options.key)
      if value ~= nil then list[#list + 1] = value end
      return nil
    end
    local list = records.array(value ~= nil and {value} or {})
    if not records.set(event.record, options.key, list) then return event end
    event.changed = true
    held[event.tag] = event
    return waiting
  end
  local function flush()
    local events = {}
    for _, tag in ipairs(records.keys(held)) do events[#events + 1] = held[tag] end
    held = {}
    return events
  end
  return {apply = apply, flush = flush}
end
