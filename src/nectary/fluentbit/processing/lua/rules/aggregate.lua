-- uses: records
-- Counts, sums and averages per group over a window of seconds; the records themselves are taken away. A window opens with its
-- first record; its figures come out with the first record after it.
function rules.aggregate(options)
  local groups, order, opened, sample = {}, {}, nil, nil

  local function add(group, event)
    group.count = group.count + 1
    for _, metric in ipairs(options.compute) do
      local number = metric.path and tonumber(records.text(records.get(event.record, metric.path)) or "")
      if number then
        group.sums[metric.name] = (group.sums[metric.name] or 0) + number
        group.counts[metric.name] = (group.counts[metric.name] or 0) + 1
      elseif metric.path == nil or records.get(event.record, metric.path) ~= nil then
        group.present[metric.name] = (group.present[metric.name] or 0) + 1
      end
    end
  end

  local function figures(group)
    local record = records.map()
    for place, path in ipairs(options.keys) do records.set(record, path, group.values[place]) end
    for _, metric in ipairs(options.compute) do
      local numbers = group.counts[metric.name] or 0
      if metric.func == "count" then
        record[metric.name] = numbers + (group.present[metric.name] or 0)
      elseif metric.func == "sum" then
        record[metric.name] = group.sums[metric.name] or 0
      elseif numbers > 0 then
        record[metric.name] = group.sums[metric.name] / numbers
      end
    end
    return record
  end

  local function release()
    local events = {}
    local time = opened and records.time_like(sample.ts, opened + options.window)
    for _, id in ipairs(order) do
      events[#events + 1] = {tag = sample.tag, ts = time, record = figures(groups[id]), changed = true}
    end
    groups, order, opened = {}, {}, nil
    return events
  end

  local function apply(event)
    local seconds, done = records.seconds(event.ts), {}
    if opened and seconds >= opened + options.window then done = release() end
    local ids, values = {}, {}
    for place, path in ipairs(options.keys) do
      local value = records.get(event.record, path)
      if value == nil then
        done[#done + 1] = event
        return nil, done
      end
      ids[place], values[place] = records.identity(value), value
    end
    opened, sample = opened or seconds, event
    local id = table.concat(ids, ";")
    if not groups[id] then
      groups[id] = {values = values, count = 0, sums = {}, counts = {}, present = {}}
      order[#order + 1] = id
    end
    add(groups[id], event)
    return nil, done
  end

  return {apply = apply, flush = release}
end
