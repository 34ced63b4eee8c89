"""Load that knows what it is owed: senders that resend exactly what was not acknowledged."""

import random
import threading

import rewardd
import rulebook
from oracle import Milestone, Oracle, Rule


def often_in_python():
    """rulebook.PAYS_OFTEN for the oracle: 1.00 EUR in cash, or five free spins at 0.10."""
    return Oracle([Rule("often", lambda one: one["payload"]["bet"], milestones=tuple(
        Milestone(at, 100 if at % 20 else 50) for at in range(10, 210, 10)))])


class Sender:
    """One source of events: players of its own, one batch after the other, in order."""

    def __init__(self, number, batch_size=10):
        self.number, self.batch_size, self.serial = number, batch_size, 0
        self.chance = random.Random(number)
        self.acknowledged, self.waiting = [], None

    def make(self):
        """A new player every third batch, verified before its first bet."""
        user = f"s{self.number}_u{self.serial // 3}"
        batch = []
        if self.serial % 3 == 0:
            batch.append(rewardd.kyc(user, 2, ts=rewardd.noon(1, self.serial)))
        batch += [rewardd.bet(user, float(self.chance.randint(1, 9)),
                              ts=rewardd.noon(1, self.serial))
                  for _ in range(self.batch_size)]
        self.serial += 1
        return batch

    def step(self, daemon):
        """Sends what is waiting, or something new. True: acknowledged. False: come again."""
        again = self.waiting is not None
        if not again:
            self.waiting = self.make()
        answer = daemon.post_events(self.waiting, minimal=True)
        if answer.status in (429, 503):
            assert answer.retry_after >= 0
            return False
        assert answer.status == 200, answer
        counts = answer.json
        assert counts["rejected"] == 0, answer
        assert counts["accepted"] + counts["duplicates"] == len(self.waiting), answer
        assert again or counts["duplicates"] == 0, answer
        self.acknowledged += self.waiting
        self.waiting = None
        return True


class Senders:
    """Several senders at once, each in a thread, until told to stop or the daemon is gone."""

    def __init__(self, count=3, batch_size=10):
        self.senders = [Sender(number, batch_size) for number in range(count)]
        self.changed = threading.Condition()
        self.stopping, self.steps, self.refused = threading.Event(), 0, 0
        self.failures, self.threads = [], []

    def start(self, daemon, steps_max=None):
        self.stopping.clear()
        self.threads = [threading.Thread(target=self._run, args=(sender, daemon, steps_max))
                        for sender in self.senders]
        for thread in self.threads:
            thread.start()

    def _run(self, sender, daemon, steps_max):
        done = 0
        try:
            while not self.stopping.is_set() and done != steps_max:
                taken = sender.step(daemon)
                done += 1
                with self.changed:
                    self.steps += taken
                    self.refused += not taken
                    self.changed.notify_all()
        except rewardd.Gone:
            pass
        except BaseException as failure:  # a thread must not fail in silence
            self.failures.append(failure)

    def wait_steps(self, count, timeout=30):
        """Blocks until so many batches were acknowledged in all."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.steps >= count or self.failures, timeout)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(90)
            assert not thread.is_alive(), "a sender hangs"
        if self.failures:
            raise self.failures[0]

    def finish(self, daemon):
        """Everything that was ever sent is acknowledged when this returns."""
        for sender in self.senders:
            if sender.waiting is not None:
                daemon.wait_for(lambda one=sender: one.step(daemon), 30, "the resend to be taken")

    def events(self):
        return [one for sender in self.senders for one in sender.acknowledged]

    def compare(self, daemon):
        """Players and tasks are what the oracle makes of the acknowledged events; returns it."""
        oracle = often_in_python().feed_all(self.events())
        for user in oracle.players:
            player = daemon.player(user)
            assert player["points"].get("often", 0) == oracle.points(user).get("often", 0), user
            assert sorted(player["milestones"].get("often", [])) == oracle.milestones(user).get(
                "often", []), user
            assert player["kyc_level"] == 2, user
        daemon.wait_settled()
        tasks = daemon.tasks()
        assert sorted((task["user_id"], task["origin"]["rule_id"], task["origin"]["threshold"],
                       rewardd.cents(task["cost"])) for task in tasks) == oracle.task_keys()
        return oracle


RULES = rulebook.PAYS_OFTEN
