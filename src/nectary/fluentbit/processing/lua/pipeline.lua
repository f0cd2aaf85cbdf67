-- The pipeline: each record through the rules, top to bottom; what one rule gives is what the next one gets.
local pipeline = {}

-- A rule that fails leaves the record as it found it. Inside Fluent Bit, where an error would let the whole chunk through
-- untouched, it says so on standard error (the first ten times) and goes on; a preview has no io, and reports the record.
local complaints = 0

local function complain(step, message)
  local text = step.name .. ": " .. tostring(message)
  if not io then error(text, 0) end
  complaints = complaints + 1
  if complaints <= 10 then io.stderr:write("[processing rules] ", text, "\n") end
end

function pipeline.pass(steps, first, event, out)
  for index = first, #steps do
    local step = steps[index]
    local worked, kept, many = pcall(step.apply, event)
    if not worked then
      complain(step, kept)
      kept, many = event, nil
    end
    if many then
      for _, each in ipairs(many) do pipeline.pass(steps, index + 1, each, out) end
      return
    end
    if not kept then return end
    event = kept
  end
  out[#out + 1] = event
end

-- What Fluent Bit wants back (filter_lua): -1 drops, 0 keeps the original bytes, 1 takes time and record, 2 the record only;
-- a list of records becomes several records, all with the one time that can be given.
function pipeline.filter(steps, tag, ts, record)
  local out = {}
  pipeline.pass(steps, 1, {tag = tag, ts = ts, record = record, changed = false}, out)
  local first = out[1]
  if not first then return -1, ts, record end
  if #out == 1 and not first.changed then return 0, ts, record end
  local code = first.ts == ts and 2 or 1
  if #out == 1 then return code, first.ts, first.record end
  local list = {}
  for place, event in ipairs(out) do list[place] = event.record end
  return code, first.ts, list
end

-- The records that rules still hold back, each {ts, record}. Fluent Bit never asks; a preview does, after the last record.
function pipeline.flush(steps)
  local out, list = {}, {}
  for index, step in ipairs(steps) do
    for _, event in ipairs(step.flush and step.flush() or {}) do pipeline.pass(steps, index + 1, event, out) end
  end
  for place, event in ipairs(out) do list[place] = {records.seconds(event.ts), event.record} end
  return list
end
