using Netdump.Client.Capture;
using Netdump.Client.Commands;
using Netdump.Client.Trust;

if (Init.IsCaptureKernel) return Init.Run();
if (args is [Init.ChildCommand, ..]) return Worker.Run(args);
bool handlesKey = args is ["start" or "restart" or "status" or "watch" or "propagate" or "spool", ..];
if (handlesKey) WipingHeap.Enter();
int exit = RootProgram.Run(args);
if (handlesKey) WipingHeap.Settle();
return exit;
