-- uses: records
-- Runs a script of the user's: one that returns function(tag, ts, record, code), or defines cb_filter. It has its own globals,
-- gets a copy of the record, and code is what the rules before it would have given (0 untouched, 1, 2 changed). It answers as
-- a lua filter does: code, ts, record or list of records.
function rules.custom_script(options)
  local own = setmetatable({}, {__index = _G})
  local chunk, problem = load(options.script, "=custom_script", "t", own)
  if not chunk then error(problem, 0) end
  local call = chunk()
  if type(call) ~= "function" then call = rawget(own, "cb_filter") end
  if type(call) ~= "function" then error("custom_script: the script returns no function and defines no cb_filter", 0) end

  return {apply = function(event)
    local before = event.changed and 2 or 0
    local seconds = records.seconds(event.ts)
    local code, ts, answer = call(event.tag, seconds, records.copy(event.record), before)
    if code == -1 then return nil end
    if code ~= 1 and code ~= 2 then return event end
    if type(answer) ~= "table" then error("the script returned no record", 0) end
    local time = event.ts
    if code == 1 and type(ts) == "number" and ts ~= seconds then time = records.time_like(event.ts, ts) end
    if not records.is_array(answer) then
      return {tag = event.tag, ts = time, record = answer, changed = true}
    end
    local many = {}
    for place, record in ipairs(answer) do
      if type(record) ~= "table" then error("the script returned a list with something else than records", 0) end
      many[place] = {tag = event.tag, ts = time, record = record, changed = true}
    end
    return nil, many
  end}
end
