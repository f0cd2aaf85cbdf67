-- uses: records regex
-- A record of a tag whose text at src matches begins a new one; the texts of those that follow are added to it, line by line.
-- It comes out with the next beginning, or when it has lineLimit lines. Lines before the first beginning pass.
function rules.multiline_join(options)
  local held = {}
  local function finish(waiting)
    records.set(waiting.event.record, options.src, table.concat(waiting.lines, "\n"))
    waiting.event.changed = true
    return waiting.event
  end
  local function apply(event)
    local text = records.get(event.record, options.src)
    if type(text) ~= "string" then return event end
    local waiting = held[event.tag]
    if regex.find(options.regex, text) then
      held[event.tag] = {event = event, lines = {text}}
      return waiting and finish(waiting) or nil
    end
    if not waiting then return event end
    waiting.lines[#waiting.lines + 1] = text
    if #waiting.lines < options.lineLimit then return nil end
    held[event.tag] = nil
    return finish(waiting)
  end
  local function flush()
    local events = {}
    for _, tag in ipairs(records.keys(held)) do events[#events + 1] = finish(held[tag]) end
    held = {}
    return events
  end
  return {apply = apply, flush = flush}
end
