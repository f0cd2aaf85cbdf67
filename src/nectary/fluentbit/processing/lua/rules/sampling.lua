-- uses: records
-- Keeps a percentage of the records. Without window each is decided by itself. With it, a window is cut into stretches of
-- 100 / percentage records, and chance picks one of each: the share is kept to within one record, and nothing is held back.
-- (Above half, it picks those to drop.) The numbers come from the minimal standard generator of Park and Miller, so that a
-- seed gives the same choice everywhere.
function rules.sampling(options)
  local number
  local share = options.percentage / 100
  local rate = math.min(share, 1 - share)
  local opened, seen, stretch, pick = nil, 0, 0, 0

  local function chance(event)
    if not number then
      number = (options.seed or math.floor(records.seconds(event.ts) * 1000)) % 2147483646 + 1
      -- Small seeds start with small numbers; a few turns mix them.
      for _ = 1, 4 do number = number * 16807 % 2147483647 end
    end
    number = number * 16807 % 2147483647
    return (number - 1) / 2147483646
  end

  local function picked(event)
    local seconds = records.seconds(event.ts)
    if not opened or seconds >= opened + options.window then
      opened, seen, stretch = seconds, 0, 0
      pick = math.floor(chance(event) / rate) + 1
    end
    seen = seen + 1
    if seen ~= pick then return false end
    stretch = stretch + 1
    pick = math.max(seen + 1, math.floor((stretch + chance(event)) / rate) + 1)
    return true
  end

  return {apply = function(event)
    local keep
    if rate == 0 then keep = true
    elseif not options.window then keep = chance(event) < share
    else keep = picked(event) == (share <= 0.5) end
    if keep then return event end
    return nil
  end}
end
