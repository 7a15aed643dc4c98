-- Lets what is held go on, and logs who did.
--
-- Cost: O(log n), and as much again for each of a batch of a group's held members; the rest is a chore.

local id, now, now_text, origin = take(), take_number(), take(), take_optional()

local work = work_of(id)
if not work then return 0 end
local held_members = work.kind == 'group' and has_stage(id, HELD)
if not work.braked and not held_members then return 0 end
local old_state = work.state
work.braked, work.not_before, work.failure, work.state = nil, nil, nil, 'pending'
work.released = true
put_work(id, work, old_state)
mark(work.kind, id, now)
if held_members then begin(RELEASE, id, now) end
log_act('release', { kind = work.kind, id = id, origin = origin }, now, now_text)
return 1
