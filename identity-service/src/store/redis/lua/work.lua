-- The outbox: what needs work, and when each piece is due.

local DUE, URGENT, AGES = P .. 'due', P .. 'urgent', P .. 'ages'

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

-- Where work stands by its oldest change: in one set while it is pending, and in others by why it rests.
local function ages_of(work)
  if work.state == 'pending' then return AGES end
  if work.state == 'held' then return P .. 'ages:held:' .. (work.braked or 'removals') end
  return P .. 'ages:' .. work.state
end

-- Takes work of that state out of them.
local function leave_ages(id, state)
  if state == 'pending' then return call('ZREM', AGES, id) end
  if state ~= 'held' then return call('ZREM', P .. 'ages:' .. state, id) end
  for _, brake in ipairs({ 'removals', 'deactivations', 'alarm' }) do call('ZREM', P .. 'ages:held:' .. brake, id) end
end

-- What is held or planned is not due.
local function put_work(id, work, old_state)
  -- What is held may come to be held by another brake.
  if old_state ~= work.state or old_state == 'held' then
    if old_state then
      call('ZREM', P .. 'work:' .. old_state, id)
      leave_ages(id, old_state)
    end
    call('ZADD', P .. 'work:' .. work.state, 0, id)
    call('ZADD', ages_of(work), work.since, id)
  end
  if work.state == 'held' or work.state == 'planned' then
    call('ZREM', DUE, id)
    call('ZREM', URGENT, id)
  else
    call('ZADD', work.urgent and URGENT or DUE, work.due, id)
  end
  call('HSET', WORK, id, cjson.encode(work))
end

-- Says that it takes access away, and so comes before all that does not.
local function hasten(id, work)
  if work.urgent then return end
  work.urgent = true
  call('ZREM', DUE, id)
end

-- The traces of the changes that work is to deliver, the newest first; no more than the embedded store keeps.
local function joined(newer, older)
  local traces, count = newer, 1
  for trace in string.gmatch(older or '', '%S+') do
    if count == 8 then break end
    traces, count = traces .. ' ' .. trace, count + 1
  end
  return traces
end

-- Says that a resource needs work now. Work under a lease stays where it is; its settlement sees the newer stamp. A change
-- is worth a try of its own, but not while the Platform wants a pause. `change` may say more of the work: what a brake holds is
-- let go by a person, or by a change that takes back what it held.
local function mark(kind, id, now, traceparent, change)
  local work = work_of(id) or { kind = kind, refused_round = 0, attempts = 0, since = now }
  local old_state = work.state
  work.stamp, work.plan = next_stamp(), nil
  if not work.not_before then work.attempts = 0 end
  if work.state ~= 'held' or not work.braked then work.state = 'pending' end
  if change then change(work) end
  if not work.lease then work.due = math.max(now, work.not_before or now, work.held_until or now) end
  if traceparent then work.traceparent = joined(traceparent, work.traceparent) end
  put_work(id, work, old_state)
end

-- Forgets a resource's work and gives it.
local function remove_work(id)
  local work = work_of(id)
  call('HDEL', WORK, id)
  call('ZREM', DUE, id)
  call('ZREM', URGENT, id)
  for _, state in ipairs(work and { work.state } or { 'pending', 'refused', 'held', 'planned' }) do
    call('ZREM', P .. 'work:' .. state, id)
    leave_ages(id, state)
  end
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

-- Says that a change takes access away, and whether a brake is on: `false` when it is on no longer, nothing when it is as it
-- was. A brake on the removal of a user lets the account be disabled first.
local function taking(kind, id, urgent, braked)
  return function(work)
    if urgent then hasten(id, work) end
    if braked ~= nil then
      work.braked, work.released, work.state = braked or nil, nil, 'pending'
    end
    if work.braked and not work.lease and (kind == 'group' or work.braked == 'deactivations') then work.state = 'held' end
  end
end

-- Has the refused members of a group tried again.
local function retry_refused(work)
  work.refused_round = work.refused_round + 1
  work.refused_due = nil
end
