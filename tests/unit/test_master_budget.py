"""How often a worker may die."""

from pastebox.master.budget import FIRST_DELAY_S, LONGEST_DELAY_S, WINDOW_S, RestartBudget


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_delays_double_up_to_a_limit():
    budget = RestartBudget(100, Clock())
    delays = [budget.spend() for _ in range(8)]
    assert delays[:3] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S]
    assert delays[-1] == LONGEST_DELAY_S


def test_budget_runs_out():
    budget = RestartBudget(1, Clock())
    assert budget.spend() is not None
    assert budget.spend() is None


def test_no_budget_at_all():
    assert RestartBudget(0, Clock()).spend() is None


def test_deaths_are_forgotten_after_the_window():
    clock = Clock()
    budget = RestartBudget(1, clock)
    assert budget.spend() == FIRST_DELAY_S
    clock.now = WINDOW_S
    assert budget.spend() == FIRST_DELAY_S
