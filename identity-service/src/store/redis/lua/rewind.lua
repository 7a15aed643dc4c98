-- After the clock went back: what waits for a time is due now; who holds a lease keeps a fresh one.
-- Gives how much it touched: when that is a batch, there may be more.
--
-- Cost: O(log n) for each piece of a batch.

local now, lease_end = take_number(), take_number()

local function earlier(at)
  return at and math.min(at, lease_end)
end

local touched = 0
for _, order in ipairs({ URGENT, DUE }) do
  local late = call('ZRANGEBYSCORE', order, '(' .. lease_end, '+inf', 'LIMIT', 0, BATCH - touched)
  touched = touched + #late
  for _, id in ipairs(late) do
    local work = work_of(id)
    if work then
      work.not_before, work.held_until, work.refused_due =
        earlier(work.not_before), earlier(work.held_until), earlier(work.refused_due)
      work.due = work.lease and lease_end or math.max(now, work.not_before or now, work.held_until or now)
      put_work(id, work, work.state)
    else
      -- It cannot be read, and is told of when its turn comes.
      call('ZADD', order, now, id)
    end
  end
end
return touched
