-- uses: records
-- Drops a record when one with the same value at key came less than window seconds before it, by the records' own times. Two
-- tables take turns, so that no more than two windows of values are remembered.
function rules.deduplicate(options)
  local current, previous, turn = {}, {}, nil
  return {apply = function(event)
    local value = records.get(event.record, options.key)
    if value == nil and options.skipMissing then return event end
    local id = value == nil and "missing" or records.identity(value)
    local seconds = records.seconds(event.ts)
    if not turn then
      turn = seconds + options.window
    elseif seconds >= turn then
      previous = seconds >= turn + options.window and {} or current
      current, turn = {}, seconds + options.window
    end
    local first = current[id] or previous[id]
    if first and math.abs(seconds - first) < options.window then return nil end
    current[id] = seconds
    return event
  end}
end
