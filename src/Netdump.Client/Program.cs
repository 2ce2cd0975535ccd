using Netdump.Client.Capture;
using Netdump.Client.Commands;
using Netdump.Client.Trust;

if (Init.IsCaptureKernel) return Init.Run();
if (args is [Init.ChildCommand, ..]) return Worker.Run(args);
if (args is ["start" or "restart" or "status" or "watch" or "propagate" or "spool", ..]) WipingHeap.Enter();
return RootProgram.Run(args);
