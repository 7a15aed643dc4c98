-- The outbox: what needs work, and when each piece is due.

local function work_of(id)
  local raw = call('HGET', WORK, id)
  if not raw then return nil end
  local read, work = pcall(cjson.decode, raw)
  if read and type(work) == 'table' and work.kind then return work end
  return nil, true
end

local function has_work(id)
  return call('HEXISTS', WORK, id) == 1
end

local function put_work(id, work, old_state)
  if old_state ~= work.state then
    if old_state then call('ZREM', P .. 'work:' .. old_state, id) end
    call('ZADD', P .. 'work:' .. work.state, 0, id)
  end
  call('ZADD', DUE, work.due, id)
  call('HSET', WORK, id, cjson.encode(work))
end

-- Says that a resource needs work now. Work under a lease stays where it is; its settlement sees the newer stamp. A change
-- is worth a try of its own, but not while the Platform wants a pause.
local function mark(kind, id, now, traceparent)
  local work = work_of(id) or { kind = kind, refused_round = 0, attempts = 0, since = now }
  local old_state = work.state
  work.stamp = next_stamp()
  if not work.not_before then work.attempts = 0 end
  work.state = 'pending'
  if not work.lease then work.due = math.max(now, work.not_before or now, work.held_until or now) end
  if traceparent then work.traceparent = traceparent end
  put_work(id, work, old_state)
end

-- Forgets a resource's work and gives it.
local function remove_work(id)
  local work = work_of(id)
  call('HDEL', WORK, id)
  call('ZREM', DUE, id)
  call('ZREM', P .. 'work:pending', id)
  call('ZREM', P .. 'work:refused', id)
  return work
end

-- === What waits for another's delivery to get on ===

local function add_waiter(on, waiter)
  call('ZADD', P .. 'waiters:' .. on, 0, waiter)
end

-- Makes what waits for a resource due: a batch now, the rest by a chore.
local function wake_waiters(on, now)
  local waiters = P .. 'waiters:' .. on
  local batch = call('ZRANGE', waiters, 0, BATCH - 1)
  for _, waiter in ipairs(batch) do
    local work = work_of(waiter)
    if work then mark(work.kind, waiter, now) end
  end
  if #batch == BATCH then
    call('ZREMRANGEBYRANK', waiters, 0, BATCH - 1)
    call('ZADD', CHORES, WAKE, WAKE .. ':' .. on)
  elseif #batch > 0 then
    call('DEL', waiters)
  end
  return #batch
end

-- Has the refused members of a group tried again.
local function retry_refused(work)
  work.refused_round = work.refused_round + 1
  work.refused_due = nil
end
