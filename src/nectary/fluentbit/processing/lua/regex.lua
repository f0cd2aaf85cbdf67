-- Regular expressions: a backtracking matcher over patterns that Nectary has already parsed. Text is read as UTF-8; a byte
-- that is not valid UTF-8 counts as one character that no class contains.
local regex = {}

-- More steps than this on one text is a runaway pattern, and an error. (So is running out of Lua's stack, which takes some
-- 2,000 repeats of a group with captures or alternatives.)
regex.STEP_LIMIT = 200000

local byte, sub = string.byte, string.sub

local function char_at(text, at)
  local first = byte(text, at)
  if not first or first < 0x80 then return first, at + 1 end
  local more, code
  if first >= 0xC2 and first < 0xE0 then more, code = 1, first - 0xC0
  elseif first >= 0xE0 and first < 0xF0 then more, code = 2, first - 0xE0
  elseif first >= 0xF0 and first < 0xF5 then more, code = 3, first - 0xF0
  else return 0x110000 + first, at + 1 end
  for offset = 1, more do
    local next_byte = byte(text, at + offset)
    if not next_byte or next_byte < 0x80 or next_byte > 0xBF then return 0x110000 + first, at + 1 end
    code = code * 64 + next_byte - 0x80
  end
  return code, at + 1 + more
end

local function is_word(code)
  return code and (code >= 48 and code <= 57 or code >= 65 and code <= 90 or code == 95 or code >= 97 and code <= 122)
end

local function spend(state)
  state.steps = state.steps + 1
  if state.steps > regex.STEP_LIMIT then error("the pattern takes too many steps on this text", 0) end
end

local function in_set(ranges)
  local ascii = {}
  for code = 0, 127 do
    for place = 1, #ranges, 2 do
      if code >= ranges[place] and code <= ranges[place + 1] then ascii[code] = true end
    end
  end
  return function(code)
    if code < 128 then return ascii[code] end
    for place = 1, #ranges, 2 do
      if code >= ranges[place] and code <= ranges[place + 1] then return true end
    end
    return false
  end
end

-- Nodes that take exactly one character: a function from a position to the one after it, or nil.
local one = {}

function one.set(node, state)
  local negated, has = node[2], in_set(node[3])
  return function(at)
    local code, after = char_at(state.text, at)
    if code and negated ~= (has(code) or false) then return after end
  end
end

function one.any(_, state)
  return function(at)
    local code, after = char_at(state.text, at)
    if code then return after end
  end
end

function one.dot(_, state)
  return function(at)
    local code, after = char_at(state.text, at)
    if code and code ~= 10 then return after end
  end
end

-- Nodes that look at a place and take nothing.
local place = {}

function place.start(_, at) return at == 1 end
function place.line_start(text, at) return at == 1 or byte(text, at - 1) == 10 end
function place.finish(text, at) return at == #text + 1 end
function place.line_end(text, at) return at == #text + 1 or byte(text, at) == 10 end
function place.last_line_end(text, at) return at == #text + 1 or at == #text and byte(text, at) == 10 end
function place.word_edge(text, at)
  local before, after = at > 1 and byte(text, at - 1) or nil, byte(text, at)
  return (is_word(before) or false) ~= (is_word(after) or false)
end
function place.not_word_edge(text, at) return not place.word_edge(text, at) end

-- The other nodes: build[kind](node, state, next) is a function from a position to whether the rest matches from there.
local build = {}

local function compile(node, state, next)
  local kind = node[1]
  if one[kind] then
    local step = one[kind](node, state)
    return function(at)
      local after = step(at)
      return after and next(after)
    end
  end
  if place[kind] then
    local holds = place[kind]
    return function(at) return holds(state.text, at) and next(at) end
  end
  return build[kind](node, state, next)
end

function build.text(node, state, next)
  local literal = node[2]
  local length = #literal
  return function(at) return sub(state.text, at, at + length - 1) == literal and next(at + length) end
end

function build.sequence(node, state, next)
  for place_in = #node, 2, -1 do next = compile(node[place_in], state, next) end
  return next
end

function build.choice(node, state, next)
  local branches = {}
  for place_in = 2, #node do branches[place_in - 1] = compile(node[place_in], state, next) end
  return function(at)
    for place_in = 1, #branches do
      spend(state)
      if branches[place_in](at) then return true end
    end
    return false
  end
end

function build.group(node, state, next)
  local first, last = 2 * node[2] - 1, 2 * node[2]
  local inner = compile(node[3], state, function(at)
    local captures = state.captures
    local old_first, old_last = captures[first], captures[last]
    captures[first], captures[last] = state.opened[first], at
    if next(at) then return true end
    captures[first], captures[last] = old_first, old_last
    return false
  end)
  return function(at)
    local old = state.opened[first]
    state.opened[first] = at
    if inner(at) then return true end
    state.opened[first] = old
    return false
  end
end

function build.same(node, state, next)
  local first, last, fold = 2 * node[2] - 1, 2 * node[2], node[3]
  return function(at)
    local from, to = state.captures[first], state.captures[last]
    if not from then return false end
    local wanted = sub(state.text, from, to - 1)
    local found = sub(state.text, at, at + #wanted - 1)
    if fold then wanted, found = wanted:lower(), found:lower() end
    return wanted == found and next(at + #wanted)
  end
end

local function reached(state)
  return function(at)
    state.reached = at
    return true
  end
end

function build.atomic(node, state, next)
  local inner = compile(node[2], state, reached(state))
  return function(at)
    local saved = {unpack(state.captures, 1, 2 * state.groups)}
    if inner(at) and next(state.reached) then return true end
    state.captures = saved
    return false
  end
end

function build.ahead(node, state, next)
  local negated, inner = node[2], compile(node[3], state, reached(state))
  return function(at)
    local saved = {unpack(state.captures, 1, 2 * state.groups)}
    local found = inner(at)
    if found and not negated and next(at) then return true end
    state.captures = saved
    return not found and negated and next(at) or false
  end
end

function build.behind(node, state, next)
  local negated, widest = node[2], node[4]
  local target
  local inner = compile(node[3], state, function(at) return at == target end)
  return function(at)
    local found, from, old = false, at, target
    for _ = 0, widest do
      target = at
      found = inner(from)
      if found or from == 1 then break end
      from = from - 1
      while from > 1 and byte(state.text, from) >= 0x80 and byte(state.text, from) < 0xC0 do from = from - 1 end
    end
    target = old
    return found ~= negated and next(at)
  end
end

-- A node that can match in one way only, and takes something: a function like those of `one`; nil for any other node.
-- Repeats of such nodes need no recursion, however long the text.
local function single_way(node, state)
  if one[node[1]] then return one[node[1]](node, state) end
  if node[1] == "text" then
    local literal = node[2]
    local length = #literal
    return function(at)
      if sub(state.text, at, at + length - 1) == literal then return at + length end
    end
  end
  if node[1] ~= "sequence" or #node == 1 then return nil end
  local steps = {}
  for place_in = 2, #node do
    steps[place_in - 1] = single_way(node[place_in], state)
    if not steps[place_in - 1] then return nil end
  end
  return function(at)
    for place_in = 1, #steps do
      at = steps[place_in](at)
      if not at then return nil end
    end
    return at
  end
end

-- As far as it goes, then back one repeat at a time.
local function greedy_one(step, least, most, state, next)
  return function(at)
    local count, here, marks = 0, at, nil
    while count < most do
      local after = step(here)
      if not after then break end
      count = count + 1
      if after ~= here + 1 and not marks then
        marks = {}
        for taken = 0, count - 1 do marks[taken] = at + taken end
      end
      here = after
      if marks then marks[count] = here end
    end
    while count >= least do
      spend(state)
      if next(marks and marks[count] or at + count) then return true end
      count = count - 1
    end
    return false
  end
end

local function lazy_one(step, least, most, state, next)
  return function(at)
    local count = 0
    while count < least do
      at = step(at)
      if not at then return false end
      count = count + 1
    end
    while true do
      spend(state)
      if next(at) then return true end
      if count >= most then return false end
      at = step(at)
      if not at then return false end
      count = count + 1
    end
  end
end

local function loop(node, least, most, lazy, state, next)
  local count, began, inner = 0, nil, nil
  local function more(at)
    if count >= most or at == began and count >= least then return false end
    local old_count, old_began = count, began
    count, began = count + 1, at
    if inner(at) then return true end
    count, began = old_count, old_began
    return false
  end
  local function leave(at) return count >= least and next(at) end
  local function again(at)
    spend(state)
    local old_count, old_began = count, began
    local matched
    if lazy then matched = leave(at) or more(at) else matched = more(at) or leave(at) end
    if not matched then count, began = old_count, old_began end
    return matched
  end
  inner = compile(node, state, again)
  return function(at)
    local old_count, old_began = count, began
    count, began = 0, nil
    if again(at) then return true end
    count, began = old_count, old_began
    return false
  end
end

build["repeat"] = function(node, state, next)
  local inner, least, most, lazy = node[2], node[3], node[4], node[5]
  if most < 0 then most = math.huge end
  local step = single_way(inner, state)
  if step then
    local repeat_one = lazy and lazy_one or greedy_one
    return repeat_one(step, least, most, state, next)
  end
  return loop(inner, least, most, lazy, state, next)
end

-- pattern: {node, groups, names, anchored, prefix, longest}. longest: the POSIX rule, the longest match wins.
function regex.compile(pattern)
  local state = {text = "", steps = 0, groups = pattern.groups, captures = {}, opened = {}, stop = nil}
  local match
  if pattern.longest then
    match = compile(pattern.node, state, function(at)
      if not state.stop or at > state.stop then
        state.stop = at
        state.best = {unpack(state.captures, 1, 2 * state.groups)}
      end
      return false
    end)
  else
    match = compile(pattern.node, state, function(at)
      state.stop = at
      return true
    end)
  end
  return {match = match, state = state, pattern = pattern, names = pattern.names}
end

-- The first match at or after a position: where it starts, where it ends, and {from, to-exclusive, ...} of each group.
function regex.find(compiled, text, from)
  local state, pattern = compiled.state, compiled.pattern
  state.text, state.steps, state.stop = text, 0, nil
  from = from or 1
  while from <= #text + 1 do
    if pattern.anchored and from > 1 then return nil end
    if pattern.prefix then
      from = string.find(text, pattern.prefix, from, true)
      if not from then return nil end
    end
    for place_in = 1, 2 * state.groups do state.captures[place_in] = false end
    spend(state)
    compiled.match(from)
    if state.stop then
      if pattern.longest then state.captures = state.best end
      return from, state.stop - 1, state.captures
    end
    local _, after = char_at(text, from)
    from = after
  end
  return nil
end

function regex.captured(text, captures, group)
  local from, to = captures[2 * group - 1], captures[2 * group]
  if not from then return nil end
  return sub(text, from, to - 1)
end

-- Calls visit(first, last, captures) for each match, left to right, at most `most` times, and joins what lies between the
-- matches with what visit returns.
function regex.replace_each(compiled, text, most, visit)
  local parts, copied, from, count, previous_end = {}, 1, 1, 0, 0
  while count < (most or math.huge) and from <= #text + 1 do
    local first, last, captures = regex.find(compiled, text, from)
    if not first then break end
    if last >= first or first > previous_end then
      parts[#parts + 1] = sub(text, copied, first - 1)
      parts[#parts + 1] = visit(first, last, captures)
      copied, previous_end, count = last + 1, last + 1, count + 1
    end
    if last >= first then
      from = last + 1
    else
      local _, after = char_at(text, first)
      from = after
    end
  end
  parts[#parts + 1] = sub(text, copied)
  return table.concat(parts), count
end

-- template: a list of texts and group numbers (0 is the whole match).
function regex.replace(compiled, text, template, most)
  return regex.replace_each(compiled, text, most, function(first, last, captures)
    local parts = {}
    for place_in, part in ipairs(template) do
      if part == 0 then
        parts[place_in] = sub(text, first, last)
      elseif type(part) == "number" then
        parts[place_in] = regex.captured(text, captures, part) or ""
      else
        parts[place_in] = part
      end
    end
    return table.concat(parts)
  end)
end

function regex.length(text)
  local count, at = 0, 1
  while at <= #text do
    local _, after = char_at(text, at)
    count, at = count + 1, after
  end
  return count
end
