; The installer of the Windows client; packaging/windows/build makes it. Silently:
;   lanparty-client-VERSION-setup.exe /S [/CONFIG=FILE] [/SERVICE] [/D=FOLDER]     (/D last, without quotes)
;   uninstall.exe /S [/PURGE]                                                      (/PURGE: identity and configuration too)
; Exit statuses of both: 0 done, 1 refused and nothing changed (the reason is in a message box unless silent), 2 installed,
; but not all of it works yet. The TAP driver is not part of it: it is signed by its makers and comes from them.
;
; What belongs to Windows is changed by the client alone: it makes its folder under ProgramData its own, takes back routes
; and metrics that an interrupted run left, and makes and removes its service.
Unicode true
!include "FileFunc.nsh"
!include "LogicLib.nsh"
!include "MUI2.nsh"
!include "WinVer.nsh"

!define NAME "LAN party client"
!define PROGRAM "lanparty-client.exe"
!define SERVICE "lanparty-client"
!define SERVICE_KEY "System\CurrentControlSet\Services\${SERVICE}"
!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\lanparty-client"
!define TAP_SITE "https://openvpn.net/community-downloads/"
; Exit statuses of the client.
!define NO_ADAPTER 3
!define CLIENT_RUNS 3
; How long a service that was just stopped may keep its file: 20 times 250 ms.
!define BUSY_TRIES 20
!define BUSY_WAIT_MS 250
; Windows' numbers: rights, and the state of a service that does not run.
!define SC_MANAGER_CONNECT 1
!define SERVICE_QUERY_STATUS 4
!define SERVICE_STOPPED 1

Name "${NAME} ${VERSION}"
OutFile "${OUTPUT}"
InstallDir "$PROGRAMFILES64\lanparty"
InstallDirRegKey HKLM "${UNINSTALL_KEY}" "InstallLocation"
RequestExecutionLevel admin
SetCompressor /SOLID lzma
ManifestDPIAware true
VIProductVersion "${VERSION}.0"
VIAddVersionKey "ProductName" "${NAME}"
VIAddVersionKey "FileDescription" "${NAME} setup"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "LegalCopyright" "MIT license"
!ifdef SIGN
!finalize '"${SIGN}" "%1"' = 0
!uninstfinalize '"${SIGN}" "%1"' = 0
!endif

!define MUI_COMPONENTSPAGE_SMALLDESC
!insertmacro MUI_PAGE_LICENSE "${FILES}/LICENSE.txt"
!insertmacro MUI_PAGE_COMPONENTS
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

Var State   ; ProgramData\lanparty
Var Config  ; the file that /CONFIG= names
Var Purge   ; 1: nobody needs to be asked
Var Stopped ; 1: the service ran, and was stopped here

; A program, run to its end without a window; its exit status (or "error") into $0.
!macro Run COMMAND
	nsExec::ExecToLog '${COMMAND}'
	Pop $0
!macroend
!define Run "!insertmacro Run"

; Ends it with status 1, and the service as it was found.
!macro Refuse MESSAGE
	DetailPrint "${MESSAGE}"
	MessageBox MB_ICONSTOP "${MESSAGE}" /SD IDOK
	${If} $Stopped == 1
		${Run} '"$SYSDIR\net.exe" start ${SERVICE}'
	${EndIf}
	SetErrorLevel 1
	Abort
!macroend
!define Refuse "!insertmacro Refuse"

; Goes on, and ends with status 2.
!macro Warn MESSAGE
	DetailPrint "${MESSAGE}"
	MessageBox MB_ICONEXCLAMATION "${MESSAGE}" /SD IDOK
	SetErrorLevel 2
!macroend
!define Warn "!insertmacro Warn"

; The state of the service into $0; 0: it can't be told.
!macro ServiceState
	StrCpy $0 0
	System::Call 'advapi32::OpenSCManagerW(p 0, p 0, i ${SC_MANAGER_CONNECT}) p .r1'
	System::Call 'advapi32::OpenServiceW(p r1, w "${SERVICE}", i ${SERVICE_QUERY_STATUS}) p .r2'
	System::Call '*(i 0, i 0, i 0, i 0, i 0, i 0, i 0) p .r3' ; SERVICE_STATUS
	System::Call 'advapi32::QueryServiceStatus(p r2, p r3)'
	System::Call '*$3(i, i .r0)'
	System::Free $3
	System::Call 'advapi32::CloseServiceHandle(p r2)'
	System::Call 'advapi32::CloseServiceHandle(p r1)'
!macroend

; While it starts it takes no controls, and when that is looked at it may run already: it is told again until it has stopped.
!macro StopService
	StrCpy $Stopped 0
	StrCpy $4 0
	ReadRegStr $0 HKLM "${SERVICE_KEY}" "ImagePath"
	${If} $0 != ""
		${Do}
			${Run} '"$SYSDIR\net.exe" stop ${SERVICE}' ; fails when it does not run
			${If} $0 == 0
				StrCpy $Stopped 1
			${EndIf}
			!insertmacro ServiceState
			IntOp $4 $4 + 1
			${If} $4 > ${BUSY_TRIES}
			${OrIf} $0 == 0
			${OrIf} $0 == ${SERVICE_STOPPED}
				${ExitDo}
			${EndIf}
			Sleep ${BUSY_WAIT_MS}
		${Loop}
	${EndIf}
!macroend

!macro Begin
	SetRegView 64
	SetShellVarContext all
	StrCpy $State "$APPDATA\lanparty" ; of all users: ProgramData
	StrCpy $Stopped 0
!macroend

; Calls a function for each argument, in $4, however it is quoted. (The rest of the line from /D= and _?= on is not in
; $CMDLINE any more.)
!macro EachArgument FUNCTION
	StrCpy $0 $CMDLINE
	System::Call 'shell32::CommandLineToArgvW(w r0, *i .r2) p .r1'
	StrCpy $3 1 ; the first one is the program
	${While} $3 < $2
		IntOp $0 $3 * ${NSIS_PTR_SIZE}
		IntPtrOp $0 $1 + $0
		System::Call '*$0(w .r4)'
		Call ${FUNCTION}
		IntOp $3 $3 + 1
	${EndWhile}
	System::Call 'kernel32::LocalFree(p r1)'
!macroend

!macro RefuseArgument MESSAGE
	MessageBox MB_ICONSTOP "$4: ${MESSAGE}" /SD IDOK
	SetErrorLevel 1
	Quit
!macroend

; What runs from $INSTDIR runs with all rights, and Windows takes libraries from there before its own. Anybody may have
; made the folder: it must not have anything in it, and then it becomes the administrators'. Looked at twice: what it
; holds may change until it is theirs. Whoever may rename a folder above could put another one in its place, and on a
; drive that is anybody, unless somebody saw to it: so there must be none.
!macro OwnFolder
	${GetParent} "$INSTDIR" $1
	StrLen $2 $1
	${If} $2 != 2 ; "C:"
		${Refuse} "$INSTDIR is below a folder that others may rename: choose one directly on a drive, or under Program Files."
	${EndIf}
	!insertmacro RefuseFull
	CreateDirectory "$INSTDIR"
	!insertmacro Icacls '/setowner *S-1-5-32-544'
	!insertmacro Icacls '/reset'
	!insertmacro Icacls '/inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F *S-1-5-32-545:(OI)(CI)RX'
	!insertmacro RefuseFull
!macroend

!macro RefuseFull
	${DirState} "$INSTDIR" $1
	${If} $1 == 1
		${Refuse} "$INSTDIR is not empty. Others may have put something there: empty it, or choose another folder."
	${EndIf}
	System::Call 'kernel32::GetFileAttributesW(w "$INSTDIR") i .r1'
	IntOp $2 $1 & 0x400 ; FILE_ATTRIBUTE_REPARSE_POINT
	${If} $1 != -1
	${AndIf} $2 != 0
		${Refuse} "$INSTDIR is a link, which others may let lead elsewhere: choose another folder."
	${EndIf}
!macroend

!macro Icacls OPTIONS
	${Run} '"$SYSDIR\icacls.exe" "$INSTDIR" ${OPTIONS}'
	${If} $0 != 0
		${Refuse} "$INSTDIR cannot be kept from other users: choose a folder on an NTFS drive."
	${EndIf}
!macroend

Section "${NAME}" SectionClient
	SectionIn RO
	ReadRegStr $0 HKLM "${UNINSTALL_KEY}" "InstallLocation"
	${If} $0 != ""
	${AndIf} $0 != $INSTDIR
	${AndIf} ${FileExists} "$0\${PROGRAM}"
		${Refuse} "It is already installed in $0: uninstall it there, or install to the same folder."
	${EndIf}
	; Program Files is safe by itself.
	StrLen $2 "$PROGRAMFILES64\"
	StrCpy $1 $INSTDIR $2
	${If} $1 != "$PROGRAMFILES64\"
	${AndIf} $0 != $INSTDIR ; else it was made safe when it was installed there
		!insertmacro OwnFolder
	${EndIf}
	!insertmacro StopService

	SetOutPath "$INSTDIR"
	SetOverwrite try
	StrCpy $1 0
	${Do}
		ClearErrors
		File "${FILES}/${PROGRAM}"
		${IfNot} ${Errors}
			${ExitDo}
		${EndIf}
		IntOp $1 $1 + 1
		${If} $1 > ${BUSY_TRIES}
			${Refuse} "$INSTDIR\${PROGRAM} cannot be written. If the client runs, end it; then install again."
		${EndIf}
		Sleep ${BUSY_WAIT_MS}
	${Loop}
	SetOverwrite on
	File "${FILES}/LICENSE.txt"
	File "${FILES}/windows.txt"
	WriteUninstaller "$INSTDIR\uninstall.exe"
	WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayName" "${NAME}"
	WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayVersion" "${VERSION}"
	WriteRegStr HKLM "${UNINSTALL_KEY}" "InstallLocation" "$INSTDIR"
	WriteRegStr HKLM "${UNINSTALL_KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
	WriteRegStr HKLM "${UNINSTALL_KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
	WriteRegDWORD HKLM "${UNINSTALL_KEY}" "NoModify" 1
	WriteRegDWORD HKLM "${UNINSTALL_KEY}" "NoRepair" 1
	${GetSize} "$INSTDIR" "/S=0K" $0 $1 $2
	WriteRegDWORD HKLM "${UNINSTALL_KEY}" "EstimatedSize" $0

	; Makes the folder under ProgramData, and makes it belong to administrators alone.
	${Run} '"$INSTDIR\${PROGRAM}" --recover-routes'
	${If} $0 != 0
	${AndIf} $0 != ${CLIENT_RUNS} ; from another folder, perhaps
		${Warn} "$State is not ready (status $0). To see why, run as administrator: $\"$INSTDIR\${PROGRAM}$\" --recover-routes"
	${ElseIf} $Config == "$State\client.conf"
		; it is there already
	${ElseIf} $Config != ""
		ClearErrors
		CopyFiles /SILENT "$Config" "$State\client.conf"
		${If} ${Errors}
			${Warn} "$Config cannot be copied to $State\client.conf"
		${EndIf}
	${ElseIfNot} ${FileExists} "$State\client.conf"
		SetOutPath "$State"
		File "${FILES}/client.conf"
		SetOutPath "$INSTDIR"
	${EndIf}

	CreateDirectory "$SMPROGRAMS\${NAME}"
	CreateShortCut "$SMPROGRAMS\${NAME}\Join the LAN party.lnk" "$SYSDIR\cmd.exe" \
		'/k ""$INSTDIR\${PROGRAM}" --config "$State\client.conf""' "$INSTDIR\${PROGRAM}"
	Push "$SMPROGRAMS\${NAME}\Join the LAN party.lnk"
	Call RunAsAdministrator
	CreateShortCut "$SMPROGRAMS\${NAME}\Configure.lnk" "$SYSDIR\notepad.exe" '"$State\client.conf"'
	Push "$SMPROGRAMS\${NAME}\Configure.lnk"
	Call RunAsAdministrator
	CreateShortCut "$SMPROGRAMS\${NAME}\Help.lnk" "$SYSDIR\notepad.exe" '"$INSTDIR\windows.txt"'
SectionEnd

Section /o "Start with Windows (service)" SectionService
	${Run} '"$INSTDIR\${PROGRAM}" --service install --config "$State\client.conf"'
	${If} $0 == 0
		StrCpy $Stopped 0 ; it runs, with the new command line
	${Else}
		${Warn} "The service was not installed (status $0). Fill in $State\client.conf, end a client that runs in a window, \
			then run as administrator: $\"$INSTDIR\${PROGRAM}$\" --service install --config $\"$State\client.conf$\""
	${EndIf}
SectionEnd

; The last one, without a name: it is not on the components page.
Section
	${If} $Stopped == 1
		${Run} '"$SYSDIR\net.exe" start ${SERVICE}'
		${If} $0 != 0
			${Warn} "The service ${SERVICE} did not start again (status $0)."
		${EndIf}
	${EndIf}
	${Run} '"$INSTDIR\${PROGRAM}" --list-tap-adapters'
	${If} $0 == ${NO_ADAPTER}
		DetailPrint "No TAP-Windows6 adapter found. Get the driver from ${TAP_SITE}"
		MessageBox MB_YESNO|MB_ICONINFORMATION "This PC has no TAP-Windows6 adapter yet, which the ${NAME} needs.$\n$\n\
			It comes with OpenVPN: get its Windows installer from ${TAP_SITE} and choose $\"Install Now$\".$\n$\n\
			Open that page now?" /SD IDNO IDNO no_site
		; By way of the desktop: a browser needs no administrator's rights.
		Exec '"$WINDIR\explorer.exe" "${TAP_SITE}"'
		no_site:
	${EndIf}
SectionEnd

LangString ABOUT_CLIENT ${LANG_ENGLISH} "The program, its manual and its start menu entries. The TAP-Windows6 driver comes with OpenVPN."
LangString ABOUT_SERVICE ${LANG_ENGLISH} "Joins the party whenever Windows runs. Needs a configuration; a service that is there already stays as it is without this."
!insertmacro MUI_FUNCTION_DESCRIPTION_BEGIN
!insertmacro MUI_DESCRIPTION_TEXT ${SectionClient} $(ABOUT_CLIENT)
!insertmacro MUI_DESCRIPTION_TEXT ${SectionService} $(ABOUT_SERVICE)
!insertmacro MUI_FUNCTION_DESCRIPTION_END

; Sets the flag "run as administrator" of a shortcut, which is bit 5 of its byte 21 (MS-SHLLINK, RunAsUser).
Function RunAsAdministrator
	Exch $0
	Push $1
	Push $2
	FileOpen $1 "$0" a
	FileSeek $1 21
	FileReadByte $1 $2
	IntOp $2 $2 | 0x20
	FileSeek $1 21
	FileWriteByte $1 $2
	FileClose $1
	Pop $2
	Pop $1
	Pop $0
FunctionEnd

Function .onInit
	!insertmacro Begin
	${IfNot} ${AtLeastWin10}
		MessageBox MB_ICONSTOP "The ${NAME} needs Windows 10 or newer." /SD IDOK
		SetErrorLevel 1
		Quit
	${EndIf}
	!insertmacro EachArgument OnArgument
FunctionEnd

; One argument, in $4.
Function OnArgument
	StrCpy $5 $4 8
	${If} $4 == "/S"
	${OrIf} $4 == "/NCRC"
		Return ; of the installer system
	${ElseIf} $4 == "/SERVICE"
		SectionSetFlags ${SectionService} ${SF_SELECTED}
	${ElseIf} $5 == "/CONFIG="
		StrCpy $Config $4 "" 8
		GetFullPathName $Config $Config ; empty when its folder is not there
		${IfNot} ${FileExists} $Config
		${OrIf} ${FileExists} "$Config\*"
			!insertmacro RefuseArgument "there is no such file"
		${EndIf}
	${Else}
		!insertmacro RefuseArgument "there is no such option; there are: /S /CONFIG=FILE /SERVICE /D=FOLDER"
	${EndIf}
FunctionEnd

Function un.onInit
	!insertmacro Begin
	StrCpy $Purge 0
	!insertmacro EachArgument un.OnArgument
FunctionEnd

Function un.OnArgument
	${If} $4 == "/S"
	${OrIf} $4 == "/NCRC"
		Return
	${ElseIf} $4 == "/PURGE"
		StrCpy $Purge 1
	${Else}
		!insertmacro RefuseArgument "there is no such option; there are: /S /PURGE"
	${EndIf}
FunctionEnd

Section "Uninstall"
	!insertmacro StopService
	${If} ${FileExists} "$INSTDIR\${PROGRAM}"
		; Before anything goes: only the client can take back what it changed, and not while another one uses it.
		${Run} '"$INSTDIR\${PROGRAM}" --recover-routes'
		${If} $0 == ${CLIENT_RUNS}
			${Refuse} "The ${NAME} runs. End it, then uninstall again."
		${ElseIf} $0 != 0
			${Refuse} "Routes and adapter settings could not be put back (status $0); nothing was uninstalled. To see why, \
				run as administrator: $\"$INSTDIR\${PROGRAM}$\" --recover-routes"
		${EndIf}
		${Run} '"$INSTDIR\${PROGRAM}" --service remove'
		${If} $0 != 0
			${Refuse} "The service could not be removed (status $0); nothing was uninstalled."
		${EndIf}
		StrCpy $Stopped 0
		StrCpy $1 0
		${Do}
			ClearErrors
			Delete "$INSTDIR\${PROGRAM}"
			${IfNot} ${Errors}
				${ExitDo}
			${EndIf}
			IntOp $1 $1 + 1
			${If} $1 > ${BUSY_TRIES}
				${Refuse} "$INSTDIR\${PROGRAM} is in use. End it, then uninstall again."
			${EndIf}
			Sleep ${BUSY_WAIT_MS}
		${Loop}
		Delete "$State\route-state.txt" ; what was in it is taken back
	${Else}
		; Taken away by somebody, a virus scanner perhaps.
		${Run} '"$SYSDIR\sc.exe" delete ${SERVICE}'
	${EndIf}
	Delete "$INSTDIR\LICENSE.txt"
	Delete "$INSTDIR\windows.txt"
	Delete "$INSTDIR\uninstall.exe"
	RMDir "$INSTDIR"
	Delete "$SMPROGRAMS\${NAME}\Join the LAN party.lnk"
	Delete "$SMPROGRAMS\${NAME}\Configure.lnk"
	Delete "$SMPROGRAMS\${NAME}\Help.lnk"
	RMDir "$SMPROGRAMS\${NAME}"
	DeleteRegKey HKLM "${UNINSTALL_KEY}"
	Delete "$State\client.log"
	Delete "$State\client.log.old"
	Delete "$State\client.lock"
	Delete "$State\*.tmp" ; of a file that was being replaced when the power went
	${If} $Purge == 0
		MessageBox MB_YESNO|MB_DEFBUTTON2 "Also remove this PC's identity, configuration and certificates, all of $State? With \
			another identity it gets another MAC address, and another address at the party." /SD IDNO IDNO keep
	${EndIf}
	RMDir /r "$State"
	keep:
	RMDir "$State" ; when it is empty
SectionEnd
