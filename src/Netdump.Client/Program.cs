using Netdump.Client.Capture;
using Netdump.Client.Commands;

if (Init.IsCaptureKernel) return Init.Run();
if (args is [Init.ChildCommand, ..]) return Worker.Run(args);
return RootProgram.Run(args);
