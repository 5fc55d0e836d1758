-- Settles or reopens a booking, durably.
call dealwright.settle(
    %(booking_id)s::bigint, %(status)s::text, %(base_revenue)s::numeric, %(package_revenue)s::numeric, %(total_revenue)s::numeric
)
