-- Makes a tenant's keys those of this layout: gives the layout found and the feed's id.

local layout, feed_id = take(), take()

call('HSETNX', META, 'layout', layout)
call('HSETNX', META, 'feed', feed_id)
return call('HMGET', META, 'layout', 'feed')
