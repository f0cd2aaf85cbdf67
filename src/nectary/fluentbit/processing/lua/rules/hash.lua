-- uses: records digest
-- Sets dst (key src itself without dst) to the digest of the value at src: a string, or a number or boolean as text.
function rules.hash(options)
  local compute, write = digest[options.algo], digest[options.encoding]
  return {apply = function(event)
    local text = records.text(records.get(event.record, options.src))
    if not text then return event end
    local bytes = compute(text)
    if records.set(event.record, options.dst or options.src, write and write(bytes) or bytes) then event.changed = true end
    return event
  end}
end
