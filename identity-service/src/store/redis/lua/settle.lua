-- Ends a claim: what is kept of the Platform's answer, and what is still to be done.
--
-- Cost: O(log n) for the resource, each member of the batch, each waiter that is woken, each group that a removed user is
-- unconfirmed in; for the entry of the log a few old ones go (log.lua).

local kind, id, token, stamp, now = take(), take(), take_number(), take_number(), take_number()
local now_text, tried, trace = take(), take_optional_number(), take_optional()
local of = { kind = kind, id = id, version = tried, trace = trace, now = now, now_text = now_text }
local outcome = take()

-- Ends every hold on account of a claim that has ended: of those who took the resource over, and of those who took it over
-- from them.
local function release()
  local ended = { id }
  while #ended > 0 do
    local on = table.remove(ended)
    for _, waiter in ipairs(call('ZRANGE', P .. 'waiters:' .. on, 0, -1)) do
      local work = work_of(waiter)
      -- A claim that was lost frees nobody: who took the work after it may still be at it.
      if not work then
        call('ZREM', P .. 'waiters:' .. on, waiter)
        ended[#ended + 1] = waiter
      elseif work.held_by == token then
        call('ZREM', P .. 'waiters:' .. on, waiter)
        work.held_until, work.held_by = nil, nil
        put_work(waiter, work, work.state)
        mark(work.kind, waiter, now)
      end
    end
  end
end

-- Forgets intents that turned out void; who waits for one of those names may have it.
local function forget_intents(void)
  if #void == 0 then return end
  local gone = {}
  for _, name in ipairs(void) do gone[name] = true end
  keep_intents(kind, id, link_of(id), function(intent) return not gone[intent.name] end)
  wake_waiters(id, now)
end

local function postponed(work, newer)
  local failure, retry_at, not_before = cjson.decode(take()), take_number(), take_optional_number()
  local waits_for, void = take_optional(), take_list()
  tell_failed(of, work, 'later', failure)
  forget_intents(void)
  -- A change that came meanwhile is worth a try of its own.
  local due = newer and now or retry_at
  if waits_for then
    add_waiter(waits_for, id)
    -- It may have got on between the look at it and now: then no bell will ring.
    if not has_work(waits_for) then due = now end
  end
  local old_state = work.state
  work.lease, work.due, work.not_before = nil, math.max(due, not_before or due), not_before
  work.state, work.attempts, work.failure = 'pending', work.attempts + 1, failure
  put_work(id, work, old_state)
end

local function refused(work, newer)
  local failure, retry_at, void = cjson.decode(take()), take_number(), take_list()
  tell_failed(of, work, 'refused', failure)
  forget_intents(void)
  local old_state = work.state
  work.lease, work.not_before, work.due = nil, nil, now
  if not newer then
    work.state, work.due, work.attempts, work.failure = 'refused', retry_at, work.attempts + 1, failure
  end
  put_work(id, work, old_state)
end

-- A brake is on; what it allowed was done.
local function held(work, newer)
  local platform_id, backend, disabled, brake = take_optional(), take(), take_optional(), take_optional()
  log_outcome(of, 'held', of.version, {})
  if platform_id then
    local link = link_of(id)
    link.disabled = disabled and true or nil
    put_object(kind, id, link, platform_id, backend)
  end
  local old_state = work.state
  work.lease, work.not_before, work.attempts, work.due = nil, nil, 0, now
  work.failure = nil
  if not newer then work.state, work.braked = 'held', brake or work.braked end
  put_work(id, work, old_state)
end

-- Nothing may be written, and this is what would be.
local function planned(work, newer)
  local steps = take_list()
  log_outcome(of, 'planned', of.version, { planned = cjson.encode(steps) })
  -- Nothing more becomes of this one for now: who waits for it can be planned.
  wake_waiters(id, now)
  local old_state = work.state
  work.lease, work.not_before, work.attempts, work.due, work.failure = nil, nil, 0, now, nil
  if not newer then work.state, work.plan = 'planned', steps end
  put_work(id, work, old_state)
end

-- Two resources came to the same object: who has it keeps it, and is delivered once more, since this one has just written
-- over it; this one forgets what led it there and looks anew after a pause.
local function contested(work, owner, until_)
  local theirs = link_of(owner)
  theirs.applied_document = 0
  keep_link(owner, theirs)
  mark(kind, owner, now)
  keep_intents(kind, id, link_of(id), none)
  work.lease, work.due, work.attempts = nil, until_ or now, work.attempts + 1
  put_work(id, work, work.state)
end

-- A removal was applied: either the object is gone, or its account is disabled and kept.
local function removed(work, newer, tombstone, platform_id, backend, disabled)
  if platform_id then
    local link = link_of(id)
    link.disabled = disabled and true or nil
    put_object(kind, id, link, platform_id, backend)
    if newer then
      work.lease, work.due = nil, now
      return put_work(id, work, work.state)
    end
  else
    remove_link(kind, id)
    forget_tombstone(id)
    local buried = P .. kind .. ':buried'
    if call('HGET', buried, tombstone.name) == id then call('HDEL', buried, tombstone.name) end
    begin(kind == 'group' and DISSOLVE or GONE, id, now)
  end
  remove_work(id)
  forget_image(kind, id)
  wake_waiters(id, now)
end

-- Keeps what is now known of the Platform object, and sets going what that makes possible.
local function relink(platform_id, backend, version, document_version, disabled)
  local link = link_of(id)
  link.disabled = disabled and true or nil
  local before = link.platform_id
  link.applied_version, link.applied_document = version, document_version
  put_object(kind, id, link, platform_id, backend)
  if before == platform_id then return end
  -- Another object than before: the memberships that the old one had are gone with it.
  if kind == 'user' then
    if before then begin(JOIN_AGAIN, id, now) end
    begin(NOW_READY, id, now)
    begin(REPORTS, id, now)
  elseif before then
    begin(REFILL, id, now)
  end
end

local function applied(work, newer)
  local platform_id, backend = take_optional(), take()
  local version, document_version, disabled = take_number(), take_number(), take_optional()
  local contested_until = take_optional_number()
  local waits_for, retry_at, more_at = take_optional(), take_optional_number() or now, take_optional_number()
  local gather_until, caught_up, failure = take_optional_number(), take_optional_number(), take_optional()
  local confirmed, refused_members = take_list(), take_list()
  local document, names = take_optional(), take_list()

  local owner = platform_id and call('HGET', P .. kind .. ':owners', platform_id)
  if owner and owner ~= id then return contested(work, owner, contested_until) end
  tell_applied(of, work, platform_id, version, document_version, #confirmed / 2, #refused_members / 2, failure)
  local tombstone = tombstone_of(id)
  if tombstone then return removed(work, newer, tombstone, platform_id, backend, disabled) end
  if platform_id then relink(platform_id, backend, version, document_version, disabled) end
  note_applied(kind, id, version, document_version, document, names)
  wake_waiters(id, now)
  for i = 1, #confirmed, 2 do
    if stamp_of(id, confirmed[i]) == tonumber(confirmed[i + 1]) then confirm(id, confirmed[i]) end
  end
  for i = 1, #refused_members, 2 do
    if stamp_of(id, refused_members[i]) == tonumber(refused_members[i + 1]) then
      restage(id, refused_members[i], REFUSED + work.refused_round)
    end
  end

  local is_ready, is_refused, is_waiting, is_held = false, false, false, false
  if kind == 'group' then
    is_ready = #ready(id, work.refused_round, 1) > 0
    is_refused = has_stage(id, REFUSED + work.refused_round)
    -- Members of a large change that is still being merged are to come.
    is_waiting = has_stage(id, WAITING) or merging(id)
    is_held = has_stage(id, HELD)
  end
  local old_state, attempts, old_since = work.state, work.attempts, work.since
  -- What was to be done is done: what is left was asked for while it was.
  if caught_up and not (is_refused or is_waiting or is_held) then work.since = math.max(old_since, caught_up) end
  -- Those who were refused first are not kept waiting by those who were refused after them.
  work.refused_due = is_refused and math.min(work.refused_due or retry_at, retry_at) or nil
  if not is_refused then
    work.failure = nil
  elseif failure then
    work.failure = cjson.decode(failure)
  end
  work.lease, work.not_before, work.attempts, work.state = nil, nil, 0, 'pending'
  if is_ready then
    work.due, work.not_before = more_at or now, more_at
  elseif newer then
    work.due = now
  elseif work.refused_due then
    work.state, work.due, work.attempts = 'refused', work.refused_due, attempts + 1
  elseif is_waiting then
    work.due = retry_at
  elseif is_held then
    work.state = 'held'
  elseif waits_for then
    add_waiter(waits_for, id)
    work.since = old_since
    -- It may have got its object between the reading of the order and now, or be gone: then no bell will ring.
    local there, gone = link_of(waits_for).platform_id, call('HEXISTS', P .. 'user', waits_for) == 0
    work.due = (there or gone) and now or retry_at
  elseif gather_until then
    work.due, work.not_before = gather_until, gather_until
  else
    return remove_work(id)
  end
  put_work(id, work, old_state)
  if work.since ~= old_since then call('ZADD', AGES, work.since, id) end
end

local work = work_of(id)
if not work then
  -- Another took the resource over meanwhile, and waits for this to be over.
  release()
elseif work.lease == token then
  local newer = work.stamp ~= stamp
  if outcome == 'applied' then
    applied(work, newer)
  elseif outcome == 'postponed' then
    postponed(work, newer)
  elseif outcome == 'held' then
    held(work, newer)
  elseif outcome == 'planned' then
    planned(work, newer)
  else
    refused(work, newer)
  end
end
return 'ok'
