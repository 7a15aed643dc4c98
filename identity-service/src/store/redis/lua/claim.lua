-- Takes due work under a lease, the longest due first.
--
-- Cost: O(log n) for each piece taken.

local now, lease_end, pause_end, limit = take_number(), take_number(), take_number(), take_number()

if call('HEXISTS', META, 'pause') == 1 then return { {}, '', {} } end
local claims, unreadable, due = {}, {}, {}
for _, order in ipairs({ URGENT, DUE }) do
  if #due < limit then
    for _, id in ipairs(call('ZRANGEBYSCORE', order, '-inf', now, 'LIMIT', 0, limit - #due)) do
      due[#due + 1] = { id, order }
    end
  end
end
for _, entry in ipairs(due) do
  local id, order = entry[1], entry[2]
  local work, corrupt = work_of(id)
  if work then
    work.lease, work.due, work.held_until, work.held_by = next_stamp(), lease_end, nil, nil
    if work.refused_due and work.refused_due <= now then retry_refused(work) end
    put_work(id, work, work.state)
    claims[#claims + 1] = { id, work.kind, work.lease, work.stamp, work.attempts, work.since, work.traceparent or '',
      work.braked or '', work.released and 1 or 0 }
  elseif corrupt then
    -- It must hold up no other.
    call('ZADD', order, pause_end, id)
    unreadable[#unreadable + 1] = id
  else
    call('ZREM', order, id)
  end
end
local taken = {}
for _, claim in ipairs(claims) do taken[claim[1]] = true end
-- What was just taken stands at the end of its lease: the next due time is of what was not.
local next_due
for _, order in ipairs({ URGENT, DUE }) do
  local skip, found = 0, false
  repeat
    local entry = call('ZRANGE', order, skip, skip, 'WITHSCORES')
    if #entry == 0 then break end
    found = not taken[entry[1]]
    if found and (not next_due or tonumber(entry[2]) < tonumber(next_due)) then next_due = entry[2] end
    skip = skip + 1
  until found
end
return { claims, next_due or '', unreadable }
