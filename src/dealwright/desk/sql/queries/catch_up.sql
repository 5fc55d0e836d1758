-- What has to be done before outcomes are read: follow-up times that are over, values that could not have a slot when they came.
select dealwright.declare_open_values() as declared, dealwright.lapse_follow_ups(%(as_of)s::timestamptz) as lapsed
