-- Tombstones: what a deleted resource leaves behind until its removal is applied, and who takes it over.

-- How long a group waits for its deleted namesake before it looks for itself, in milliseconds.
local NAMESAKE_WAIT = 60000

local function tombstone_of(id)
  local raw = call('HGET', TOMBSTONES, id)
  if raw then return cjson.decode(raw) end
end

local function forget_tombstone(id)
  call('HDEL', TOMBSTONES, id)
  call('ZREM', TOMBSTONES .. ':ids', id)
end

-- Leaves a tombstone, unless nothing can have reached the Platform: no link, no intent, and no delivery under way. A group's
-- members stay with it: a deletion that is held or refused may be taken back.
local function bury(kind, id, name, version, now, at_text, traceparent, braked)
  local link, work = link_of(id), work_of(id)
  if not link.platform_id and #link.intents == 0 and not (work and work.lease) then
    remove_work(id)
    forget_image(kind, id)
    remove_link(kind, id)
    if kind == 'group' then begin(DISSOLVE, id, now) end
    return wake_waiters(id, now)
  end
  -- Its former names are free at once: who takes one waits for the account that may still have it.
  local image = image_of(id)
  if image then free_names(kind, id, image) end
  local tombstone = { kind = kind, name = name, version = version, at = at_text }
  call('HSET', TOMBSTONES, id, cjson.encode(tombstone))
  call('ZADD', TOMBSTONES .. ':ids', 0, id)
  call('HSET', P .. kind .. ':buried', name, id)
  mark(kind, id, now, traceparent, taking(kind, id, true, braked or false))
end

-- Puts a resource's work off until another's claim has ended, at the latest until then.
local function hold(on, waiter, until_, token)
  local work = work_of(waiter)
  if not work then return end
  add_waiter(on, waiter)
  work.due, work.held_until, work.held_by = until_, until_, token
  put_work(waiter, work, work.state)
end

-- A user created under the name of a deleted one takes its account over and cancels a removal not yet done: `true`. A group waits
-- until its namesake is gone: the old group's members must not become the new one's.
local function take_over(kind, id, name, now)
  local old = call('HGET', P .. kind .. ':buried', name)
  if not old then return false end
  if kind == 'group' then
    add_waiter(old, id)
    local work = work_of(id)
    work.due = now + NAMESAKE_WAIT
    put_work(id, work, work.state)
    return false
  end
  forget_image(kind, old)
  move_link(kind, old, id)
  call('HDEL', P .. kind .. ':buried', name)
  forget_tombstone(old)
  advance(RENAME, old, id, now)
  local removal = remove_work(old)
  wake_waiters(old, now)
  -- A removal that is under way this moment must not be overtaken; one that was itself held back hands its wait on.
  if not removal then return true end
  local until_, token = removal.held_until, removal.held_by
  if removal.lease then until_, token = removal.due, removal.lease end
  if until_ and token and until_ > now then hold(old, id, until_, token) end
  return true
end
