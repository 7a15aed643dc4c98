-- Takes due work under a lease, the longest due first.
--
-- Cost: O(log n) for each piece taken.

local now, lease_end, pause_end, limit = take_number(), take_number(), take_number(), take_number()

local claims, unreadable = {}, {}
for _, id in ipairs(call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, limit)) do
  local work, corrupt = work_of(id)
  if work then
    work.lease, work.due, work.held_until, work.held_by = next_stamp(), lease_end, nil, nil
    if work.refused_due and work.refused_due <= now then retry_refused(work) end
    put_work(id, work, work.state)
    claims[#claims + 1] = { id, work.kind, work.lease, work.stamp, work.attempts, work.traceparent or '' }
  elseif corrupt then
    -- It must hold up no other.
    call('ZADD', DUE, pause_end, id)
    unreadable[#unreadable + 1] = id
  else
    call('ZREM', DUE, id)
  end
end
local taken = {}
for _, claim in ipairs(claims) do taken[claim[1]] = true end
-- What was just taken stands at the end of its lease: the next due time is of what was not.
local next_due = ''
local skip = 0
repeat
  local entry = call('ZRANGE', DUE, skip, skip, 'WITHSCORES')
  if #entry == 0 then break end
  if not taken[entry[1]] then next_due = entry[2] end
  skip = skip + 1
until next_due ~= ''
return { claims, next_due, unreadable }
