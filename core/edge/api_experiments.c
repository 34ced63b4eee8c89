/* Experiments: every question goes to the follower that has their sums. */
#include "edge/api_call.h"

void rwd_api__list_experiments(struct rwd_api__call *call)
{
    rwd_api__ask(call, rwd_api__inquiry(call, RWD_INQUIRY_EXPERIMENTS), rwd_api__answer_inquiry);
}

void rwd_api__get_experiment_results(struct rwd_api__call *call)
{
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, RWD_INQUIRY_EXPERIMENT_RESULTS);
    inquiry->id = rwd_api__keep(inquiry, call->parameters[0]);
    rwd_api__ask(call, inquiry, rwd_api__answer_inquiry);
}
