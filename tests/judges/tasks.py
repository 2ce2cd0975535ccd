# Run by drgn on a dump with full debuginfo: prints, as one JSON object, what an analysis without any must find.
# tasks: pid, tgid, ppid, comm, address, state (the letter of ps), when it last came to a processor (ns of the scheduler's clock), stack from the innermost frame as [program counter, function, inlined],
# function null where drgn has only the address; modules; panic: CPU and pid; release.
import json

from drgn import FaultError
from drgn.helpers.linux.cpumask import for_each_online_cpu
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.sched import idle_task, task_state_to_char


def stack_of(task):
    try:
        trace = prog.stack_trace(task)
    except (FaultError, LookupError, ValueError) as error:
        return {"stack": [], "error": str(error)}
    frames = []
    for frame in trace:
        try:
            frames.append([hex(frame.pc), frame.function_name, frame.is_inline, frame.interrupted])
        except LookupError:
            break
    return {"stack": frames}


def describe(task):
    return {
        "pid": task.pid.value_(),
        "tgid": task.tgid.value_(),
        "ppid": task.real_parent.tgid.value_(),
        "comm": task.comm.string_().decode(errors="backslashreplace"),
        "addr": hex(task.value_()),
        "state": task_state_to_char(task),
        "last_arrival": task.sched_info.last_arrival.value_(),
        **stack_of(task),
    }


modules = list_for_each_entry("struct module", prog["modules"].address_of_(), "list")
panic_cpu = prog["panic_cpu"].counter.value_()
print(json.dumps({
    "tasks": [describe(task) for task in for_each_task(prog)],
    "idle": [describe(idle_task(prog, cpu)) for cpu in for_each_online_cpu(prog)],
    "modules": [module.name.string_().decode() for module in modules if module.state != prog.constant("MODULE_STATE_UNFORMED")],
    "panic": {"cpu": panic_cpu, "pid": prog.crashed_thread().tid},
    "release": prog["init_uts_ns"].name.release.string_().decode(),
}))
