-- Lets a claim hold until a later time, if it still holds.
--
-- Cost: O(log n).

local id, token, lease_end = take(), take_number(), take_number()

local work = work_of(id)
if not work or work.lease ~= token then return 0 end
work.due = lease_end
put_work(id, work, work.state)
return 1
