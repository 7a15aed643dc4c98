-- Links a resource that has no object to one that nobody owns, and logs who did. Gives 1, or 0 where that cannot
-- be, or 2 while a delivery of it is under way.
--
-- Cost: O(log n), and as much again for each of a batch of those that wait for it; the rest is a chore.

local kind, id, platform_id, backend = take(), take(), take(), take()
local now, now_text, origin = take_number(), take(), take_optional()

local link, work = link_of(id), work_of(id)
if call('HEXISTS', P .. kind, id) == 0 or call('HEXISTS', P .. kind .. ':owners', platform_id) == 1 then return 0 end
if link.platform_id then return 0 end
if work and work.lease then return 2 end
link.applied_version, link.applied_document, link.disabled = 0, 0, nil
put_object(kind, id, link, platform_id, backend)
-- Whatever it waited for, it may be tried now.
if work then
  work.not_before = nil
  put_work(id, work, work.state)
end
mark(kind, id, now)
if kind == 'user' then
  begin(NOW_READY, id, now)
  begin(REPORTS, id, now)
end
wake_waiters(id, now)
log_act('relink', { kind = kind, id = id, origin = origin }, now, now_text)
return 1
